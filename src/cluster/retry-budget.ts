import type { Permit } from './circuit-breakers.ts';
import type { RetryBudgetConfig } from './config.ts';

/** Milliseconds without a retry after which the reserve is full again. */
const quiet = 1000;

/**
 * How many retries an app has to bear. Two bounds: of what is under way, as in Envoy, and of all tries over time, because
 * an app that fails fast has little under way, and a share of little is no bound on its load.
 */
export class RetryBudget {
  readonly #share: number;
  readonly #least: number;
  /** Requests under way, retries included. */
  readonly #active: () => number;
  readonly #now: () => number;
  /** Retries that may still be made; each first try adds a share. */
  #saved: number;
  #last = -Infinity;
  #used = 0;

  constructor(config: RetryBudgetConfig, active: () => number, now: () => number) {
    this.#share = config.budget_percent / 100;
    this.#least = config.min_retry_concurrency;
    this.#active = active;
    this.#now = now;
    this.#saved = this.#least;
  }

  get used(): number {
    return this.#used;
  }

  /** Retries that may be under way now. */
  get most(): number {
    return Math.max(this.#least, Math.floor(this.#active() * this.#share));
  }

  /** It follows what is under way here, and that is nobody else's. */
  readonly shared = false;
  readonly join = (): Promise<void> => Promise.resolve();
  readonly close = (): void => {};

  /** A request is sent for the first time. */
  firstTry(): void {
    // A long good time must not save up for a storm: a hundred retries are the share of a few hundred requests.
    if (this.#saved < 100 + this.#least) this.#saved += this.#share;
  }

  take(): Permit | undefined {
    const now = this.#now();
    if (now - this.#last > quiet) this.#saved = Math.max(this.#saved, this.#least);
    if (this.#used >= this.most || this.#saved < 1) return undefined;
    this.#last = now;
    this.#saved--;
    this.#used++;
    let held = true;
    return {
      release: () => {
        if (!held) return;
        held = false;
        this.#used--;
      },
    };
  }
}
