import type { ProcessLog } from '../../process-log.ts';

/** What a search could not look at. Each path is logged once for as long as every search finds the same error there. */
export class SearchFailures {
  readonly #log: ProcessLog;
  /** Codes of errors by path: of the last search, and of the one that is under way. */
  #last: ReadonlyMap<string, string> = new Map();
  #now = new Map<string, string>();

  constructor(log: ProcessLog) {
    this.#log = log;
  }

  begin(): void {
    this.#now = new Map();
  }

  /** @param code of the error, such as EACCES */
  failed(path: string, input: string, code: string): void {
    this.#now.set(path, code);
    if (this.#last.get(path) === code) return;
    this.#log.error('cannot read what an input asks for; it is tried again and again', { path, input, code });
  }

  end(): void {
    this.#last = this.#now;
  }
}
