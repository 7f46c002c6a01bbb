import { open, readFile, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProcessLog } from '../process-log.ts';
import type { Stats } from '../stats/index.ts';
import { CheckpointRefused, readCheckpoint, writeCheckpoint, type Position } from './checkpoint.ts';

/** Larger is no checkpoint of ours: 100,000 positions have about 40 MB. */
const largest = 256 * 1024 * 1024;

export interface FoundPositions {
  readonly positions: readonly Position[];
  /** There has never been a checkpoint here: this is the first start. */
  readonly first: boolean;
}

/**
 * The checkpoint on disk. It is replaced as a whole: written beside, made durable, renamed, and the folder made durable, so that
 * after a crash there is either the old one or the new one.
 */
export class CheckpointFile {
  readonly path: string;
  readonly #folder: string;
  readonly #log: ProcessLog;
  readonly #writes: { add(): void };
  readonly #failures: { add(): void };
  readonly #time: { set(value: number): void };
  /** Code of the error that the last write ended with. */
  #failing: string | undefined;

  constructor(folder: string, parts: { log: ProcessLog; stats: Stats }) {
    this.#folder = folder;
    this.path = join(folder, 'checkpoint.json');
    this.#log = parts.log;
    this.#writes = parts.stats.counter('portico_logs_checkpoint_writes_total', 'Checkpoints written.').with({});
    this.#failures = parts.stats
      .counter('portico_logs_checkpoint_failures_total', 'Checkpoints that could not be written.')
      .with({});
    this.#time = parts.stats
      .gauge('portico_logs_checkpoint_timestamp_seconds', 'When the last checkpoint was written.')
      .with({});
  }

  /** What the last write failed with, such as ENOSPC; undefined when it was good. */
  get failing(): string | undefined {
    return this.#failing;
  }

  /** Never rejects: a checkpoint that cannot be used is set aside with a message, and all files are read from their beginning. */
  async load(): Promise<FoundPositions> {
    try {
      const file = await open(this.path, 'r');
      try {
        if ((await file.stat()).size > largest) throw new CheckpointRefused('it is far too large');
        return { positions: readCheckpoint(await file.readFile('utf8')), first: false };
      } finally {
        await file.close();
      }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return { positions: [], first: !(await this.#wasSetAside()) };
      const reason = error instanceof CheckpointRefused ? error.message : `it cannot be read: ${code}`;
      await this.#setAside(reason);
      return { positions: [], first: false };
    }
  }

  /** Resolves with whether it is on disk. Never rejects: what goes wrong is logged and counted, and the next write may be good. */
  async save(positions: readonly Position[], now: number): Promise<boolean> {
    const beside = `${this.path}.new`;
    try {
      const file = await open(beside, 'w', 0o600);
      try {
        await file.writeFile(writeCheckpoint(positions));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(beside, this.path);
      await this.#syncFolder();
    } catch (error) {
      this.#failed(error as NodeJS.ErrnoException);
      await unlink(beside).catch(() => {});
      return false;
    }
    if (this.#failing !== undefined) this.#log.info('checkpoints can be written again', { file: this.path });
    this.#failing = undefined;
    this.#writes.add();
    this.#time.set(now / 1000);
    return true;
  }

  async #syncFolder(): Promise<void> {
    const folder = await open(this.#folder, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  #failed(error: NodeJS.ErrnoException): void {
    this.#failures.add();
    const code = error.code ?? error.name;
    if (this.#failing === code) return;
    this.#failing = code;
    this.#log.error(
      'cannot write the checkpoint; shipping goes on, and a restart would ship again what came since the last one',
      {
        file: this.path,
        error: error.message,
      },
    );
  }

  async #wasSetAside(): Promise<boolean> {
    return readFile(this.#aside).then(
      () => true,
      () => false,
    );
  }

  get #aside(): string {
    return `${this.path}.refused`;
  }

  async #setAside(reason: string): Promise<void> {
    const moved = await rename(this.path, this.#aside).then(
      () => `it is kept as ${this.#aside}`,
      (error: NodeJS.ErrnoException) => `it could not be moved aside: ${error.code}`,
    );
    this.#log.error(
      'the checkpoint cannot be used; all files are shipped from their beginning, so what was shipped before comes again',
      { file: this.path, reason, aside: moved },
    );
  }
}
