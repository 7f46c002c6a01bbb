import type { FilterLog } from '../filter/define-filter.ts';

/** Says each thing once, until it is well again. Of at most 100 things, so that it holds no more than those. */
export class TellOnce {
  readonly #log: Pick<FilterLog, 'warn'>;
  readonly #told = new Set<string>();

  constructor(log: Pick<FilterLog, 'warn'>) {
    this.#log = log;
  }

  warn(thing: string, message: string, fields?: Record<string, unknown>): void {
    if (this.#told.has(thing) || this.#told.size >= 100) return;
    this.#told.add(thing);
    this.#log.warn(message, fields);
  }

  well(thing: string): void {
    this.#told.delete(thing);
  }
}
