import type { Position } from '../checkpoint.ts';
import { nodeKey } from './identity.ts';

/** Positions of files that are not followed, by device and inode. */
export class PastFiles {
  readonly #positions: Map<string, Position>;
  /** Those of them whose files were not found yet since the start. */
  readonly #missing: Set<string>;

  constructor(positions: readonly Position[]) {
    this.#positions = new Map(positions.map((position) => [nodeKey(position), position]));
    this.#missing = new Set(this.#positions.keys());
  }

  get(key: string): Position | undefined {
    return this.#positions.get(key);
  }

  keep(key: string, position: Position): void {
    this.#positions.set(key, position);
  }

  /** Its file is followed, or nothing of it will ever be. */
  forget(key: string): void {
    this.#positions.delete(key);
    this.#missing.delete(key);
  }

  get missing(): readonly (readonly [key: string, past: Position])[] {
    return [...this.#missing].map((key) => [key, this.#positions.get(key)!] as const);
  }

  isMissing(key: string): boolean {
    return this.#missing.has(key);
  }

  /** Its position stays, but nobody looks for it any more. */
  seekNoMore(key: string): void {
    this.#missing.delete(key);
  }

  /** For the checkpoint. @param oldest milliseconds since 1970: those seen before are forgotten, unless they are sought */
  positions(oldest: number): Position[] {
    for (const [key, { seen }] of this.#positions)
      if (seen < oldest && !this.#missing.has(key)) this.#positions.delete(key);
    return [...this.#positions.values()];
  }
}
