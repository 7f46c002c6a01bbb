/** Milliseconds over which the rate is averaged; also the time before it counts. Kernels take what is read in large steps. */
const rateWindow = 60_000;

/** Judges whether a client reads an answer fast enough. Looked at now and then. */
export class ResponsePace {
  readonly #least: number;
  #since: number | undefined;
  #from = 0;

  /** @param rate least bytes a second; 0 is off */
  constructor(rate: number) {
    this.#least = (rate * rateWindow) / 1000;
  }

  /**
   * Time in which nothing waits for the client does not count.
   * @param now monotonic milliseconds
   * @param taken bytes that the client has taken so far
   * @param waiting whether there is more that only the client holds up
   */
  tooSlow(now: number, taken: number, waiting: boolean): boolean {
    if (!waiting || this.#least === 0) {
      this.#since = undefined;
      return false;
    }
    if (this.#since === undefined) {
      this.#since = now;
      this.#from = taken;
    }
    if (now - this.#since < rateWindow) return false;
    const slow = taken - this.#from < this.#least;
    this.#since = now;
    this.#from = taken;
    return slow;
  }
}
