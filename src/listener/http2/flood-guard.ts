/** Counts what costs us more than the client and says when it is too much: at most `most` in `window` milliseconds. */
export class FloodGuard {
  readonly #most: number;
  readonly #window: number;
  #since = -Infinity;
  #count = 0;

  constructor(most: number, window: number) {
    this.#most = most;
    this.#window = window;
  }

  /** Answers true when the budget is overdrawn. @param now monotonic milliseconds @param weight how often it counts */
  spend(now: number, weight = 1): boolean {
    if (now - this.#since >= this.#window) {
      this.#since = now;
      this.#count = 0;
    }
    return (this.#count += weight) > this.#most;
  }
}
