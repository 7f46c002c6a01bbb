import type { Clock, FilterLog } from '../../filter/define-filter.ts';

/** Milliseconds between two lines about the same matter. */
const interval = 30_000;

/** A log for what happens thousands of times in a row: one line per matter and interval, with the count of the others. */
export class SeldomLog {
  readonly #log: FilterLog;
  readonly #clock: Clock;
  readonly #matters = new Map<string, { at: number; unsaid: number }>();

  constructor(log: FilterLog, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** @param matter one of a few words of ours, never text of a store or a record */
  say(level: 'info' | 'warn' | 'error', matter: string, message: string, fields: Record<string, unknown> = {}): void {
    const now = this.#clock.monotonic();
    const known = this.#matters.get(matter);
    if (known !== undefined && now - known.at < interval) {
      known.unsaid++;
      return;
    }
    const unsaid = known?.unsaid ?? 0;
    this.#matters.set(matter, { at: now, unsaid: 0 });
    this.#log[level](message, unsaid > 0 ? { ...fields, unsaid } : fields);
  }
}
