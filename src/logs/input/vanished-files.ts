import { dirname } from 'node:path';
import type { ProcessLog } from '../../process-log.ts';
import type { Position } from '../checkpoint.ts';
import { asksFor } from './asks-for.ts';
import type { InputConfig } from './config.ts';
import { findCompressed } from './find-compressed.ts';
import { findNode } from './find-node.ts';
import type { FollowStats } from './follow-stats.ts';
import { nodeKey, type FileNode } from './identity.ts';
import type { PastFiles } from './past-files.ts';
import { tellLoss } from './tell-loss.ts';

export interface VanishedFilesParts {
  readonly log: ProcessLog;
  readonly statsOf: (input: InputConfig) => FollowStats;
  /** Follows the file at a path if it is the one whose position is kept. @throws the error of the file system */
  follow(path: string, past: Position, input: InputConfig): Promise<void>;
  /** Follows the text in a compressed file, if it begins as that of the position. @throws the error of the file system */
  followCompressed(path: string, past: Position, input: InputConfig): Promise<boolean>;
}

/** Finds what has become of files that were followed before the start, and tells of what is lost. */
export class VanishedFiles {
  readonly #past: PastFiles;
  readonly #parts: VanishedFilesParts;
  /** Files in whose place there is another one, until they have been sought among compressed ones. */
  readonly #replaced: { readonly past: Position; readonly input: InputConfig; readonly how: string }[] = [];

  constructor(past: PastFiles, parts: VanishedFilesParts) {
    this.#past = past;
    this.#parts = parts;
  }

  /** There is another file in the place of a known one. */
  replaced(past: Position, node: FileNode, input: InputConfig): void {
    if (past.deleted === true) return;
    const truncated = past.born === undefined || past.born === node.born;
    const how = truncated ? 'a file was truncated while nobody read it' : 'a file was replaced while nobody read it';
    this.#replaced.push({ past, input, how });
  }

  /** Seeks those that are not where they were: rotated away, compressed, or gone. */
  async seek(inputs: readonly InputConfig[]): Promise<void> {
    for (const [key, past] of this.#past.missing) {
      const input = inputs.find(({ name }) => name === past.input);
      if (past.deleted === true || input === undefined) this.#past.seekNoMore(key);
      else await this.#seekOne(past, input, inputs);
    }
    for (const { past, input, how } of this.#replaced.splice(0)) await this.#seekCompressed(past, input, inputs, how);
  }

  async #seekOne(past: Position, input: InputConfig, inputs: readonly InputConfig[]): Promise<void> {
    const key = nodeKey(past);
    try {
      const at = await findNode(dirname(past.path), past);
      if (at !== undefined && past.compressed !== true) await this.#parts.follow(at, past, input);
      else if (at !== undefined && past.done !== true) await this.#parts.followCompressed(at, past, input);
      if (!this.#past.isMissing(key)) return;
      await this.#seekCompressed(past, input, inputs, 'a file is gone, or was replaced, while nobody read it');
      this.#past.forget(key);
    } catch {
      // The folder cannot be read, or is not there yet: it is sought again.
    }
  }

  /** A file that is gone may have been compressed; otherwise it is lost. */
  async #seekCompressed(
    past: Position,
    input: InputConfig,
    inputs: readonly InputConfig[],
    how: string,
  ): Promise<void> {
    if (past.done === true) return;
    try {
      const at = await findCompressed(past);
      // What an input asks for is read as it is, whatever it is.
      const isFree = at !== undefined && !inputs.some((other) => asksFor(other, at));
      if (isFree && (await this.#parts.followCompressed(at, past, input))) return;
    } catch {
      // It went away meanwhile, or its folder did.
    }
    tellLoss(past, how, { stats: this.#parts.statsOf(input), log: this.#parts.log });
  }
}
