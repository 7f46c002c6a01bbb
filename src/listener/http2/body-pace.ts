/** Milliseconds over which the rate of arriving content is averaged; also the time before it counts. */
const rateWindow = 5000;

export interface BodyPaceLimits {
  /** Milliseconds for the whole request; 0 is off. */
  readonly timeout: number;
  /** Least bytes a second; 0 is off. */
  readonly rate: number;
}

/** Judges whether the content of one request arrives fast enough. */
export class BodyPace {
  readonly #limits: BodyPaceLimits;
  readonly #due: number;
  #windowEnds: number;
  #windowBegan = 0;
  /** In the present window it was not only up to the client how much arrived. */
  #held = false;

  /** @param now monotonic milliseconds, as in {@link BodyPace.fault} */
  constructor(limits: BodyPaceLimits, now: number) {
    this.#limits = limits;
    this.#due = limits.timeout > 0 ? now + limits.timeout : Infinity;
    this.#windowEnds = now + rateWindow;
  }

  /**
   * Details of the refusal, if it does not.
   * @param received bytes of content so far
   * @param held whether we have kept the client from sending since the last call
   */
  fault(now: number, received: number, held: boolean): 'request_timeout' | 'request_body_too_slow' | undefined {
    if (held) this.#held = true;
    if (now >= this.#due) return 'request_timeout';
    if (now < this.#windowEnds) return undefined;
    const slow = !this.#held && received - this.#windowBegan < (this.#limits.rate * rateWindow) / 1000;
    this.#windowEnds = now + rateWindow;
    this.#windowBegan = received;
    this.#held = false;
    return slow ? 'request_body_too_slow' : undefined;
  }
}
