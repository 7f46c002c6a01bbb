/** Looks in a row that must be late: one long pause is over when it is noticed, and refusing then helps nobody. */
const row = 3;

/** How late looks at the event loop come, that should come at even times. The least of the last few counts. */
export class LoopDelay {
  readonly #interval: number;
  readonly #last: number[] = [];
  #previous: number | undefined;

  /** @param interval milliseconds between two looks */
  constructor(interval: number) {
    this.#interval = interval;
  }

  /** Answers the delay in milliseconds that each of the last looks had at least. @param now monotonic milliseconds */
  look(now: number): number {
    const late = this.#previous === undefined ? 0 : Math.max(0, now - this.#previous - this.#interval);
    this.#previous = now;
    if (this.#last.push(late) > row) this.#last.shift();
    return this.#last.length < row ? 0 : Math.min(...this.#last);
  }
}
