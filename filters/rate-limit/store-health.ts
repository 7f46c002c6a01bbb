import type { Clock, FilterLog } from 'portico';

/** Tells the operator of a failing store once in a while, however many requests meet it, and of its return. */
export class StoreHealth {
  readonly #log: FilterLog;
  readonly #clock: Clock;
  readonly #consequence: string;
  #lastWarning = -Infinity;
  #failures = 0;
  #warned = false;

  /** @param consequence what becomes of requests meanwhile */
  constructor(log: FilterLog, clock: Clock, consequence: string) {
    this.#log = log;
    this.#clock = clock;
    this.#consequence = consequence;
  }

  failed(cause: string): void {
    this.#failures++;
    const now = this.#clock.monotonic();
    if (now - this.#lastWarning < warningInterval) return;
    this.#lastWarning = now;
    this.#warned = true;
    this.#log.warn(`the rate limit store fails; ${this.#consequence}`, { cause, failures: this.#failures });
  }

  answered(): void {
    if (!this.#warned) return;
    this.#warned = false;
    this.#log.info('the rate limit store answers again', { failures: this.#failures });
    this.#failures = 0;
  }
}

/** Milliseconds. */
const warningInterval = 10_000;
