import type { ProcessLog } from '../../process-log.ts';
import type { FollowStats } from './follow-stats.ts';

/** What keeps a file from being read: each error is counted, and logged once as long as it is the same. */
export class ReadTrouble {
  readonly #stats: FollowStats;
  readonly #log: ProcessLog;
  #code: string | undefined;

  constructor(stats: FollowStats, log: ProcessLog) {
    this.#stats = stats;
    this.#log = log;
  }

  failed(path: string, error: unknown): void {
    const { code = 'unknown', message } = error as NodeJS.ErrnoException;
    this.#stats.failed(code);
    if (this.#code === code) return;
    this.#code = code;
    this.#log.error('cannot read a file; it is tried again and again', { path, error: message });
  }

  worksAgain(path: string): void {
    if (this.#code !== undefined) this.#log.info('a file can be read again', { path });
    this.#code = undefined;
  }
}
