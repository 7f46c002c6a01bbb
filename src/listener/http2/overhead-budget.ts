/** Frames that may come at once, on any connection; and those that come to it with every second. */
const burst = 1000;
const rate = 100;
/** What is earned adds up to so much. */
const most = 10_000;

/**
 * Frames that bring neither a head nor content cost us work and the client little (CVE-2019-9511 and its kin): WINDOW_UPDATE,
 * PRIORITY, empty DATA, frames of unknown type, frames of streams that are over. Some come with every honest stream, and
 * many with a large answer, so streams and content earn them, as in Envoy's flood mitigation.
 */
export class OverheadBudget {
  #left = burst;
  #refilled: number;

  /** @param now monotonic milliseconds, as in {@link OverheadBudget.spend} */
  constructor(now: number) {
    this.#refilled = now;
  }

  /** Something came, or left, that such frames may belong to. */
  earn(frames: number): void {
    this.#left = Math.min(most, this.#left + frames);
  }

  /** One such frame. Answers true when the budget is overdrawn. */
  spend(now: number): boolean {
    if (--this.#left >= 0) return false;
    this.#left = Math.min(burst, this.#left + ((now - this.#refilled) * rate) / 1000);
    this.#refilled = now;
    return this.#left < 0;
  }
}
