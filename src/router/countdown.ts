/** Who is told when the time is up. The links are the countdown's own. */
export abstract class Timed {
  /** Clock reading at which the time is up. */
  dueAt = 0;
  earlier: Timed | undefined;
  later: Timed | undefined;
  /** Waits in a countdown. */
  waits = false;
  abstract timeUp(): void;
}

/**
 * Times that are all equally long, of which most are stopped long before they are up: a chain in the order of their ends, and
 * one timer for whatever is first in it. To start and to stop one makes no garbage.
 */
export class Countdown {
  readonly #milliseconds: number;
  readonly #now: () => number;
  #first: Timed | undefined;
  #last: Timed | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param now milliseconds of a clock that never jumps, and that timers go by */
  constructor(milliseconds: number, now = () => performance.now()) {
    this.#milliseconds = milliseconds;
    this.#now = now;
  }

  start(timed: Timed): void {
    timed.dueAt = this.#now() + this.#milliseconds;
    timed.waits = true;
    timed.earlier = this.#last;
    timed.later = undefined;
    if (this.#last === undefined) this.#first = timed;
    else this.#last.later = timed;
    this.#last = timed;
    this.#timer ??= this.#ringIn(this.#milliseconds);
  }

  stop(timed: Timed): void {
    if (!timed.waits) return;
    timed.waits = false;
    if (timed.earlier === undefined) this.#first = timed.later;
    else timed.earlier.later = timed.later;
    if (timed.later === undefined) this.#last = timed.earlier;
    else timed.later.earlier = timed.earlier;
    timed.earlier = undefined;
    timed.later = undefined;
  }

  #ringIn(milliseconds: number): NodeJS.Timeout {
    // With nobody left who waits it must not keep the process.
    return setTimeout(this.#ring, Math.max(1, Math.ceil(milliseconds))).unref();
  }

  /** Answers that arrived while the event loop stood still are read first: the app was not late. */
  readonly #ring = (): void => void setImmediate(this.#tell);

  readonly #tell = (): void => {
    this.#timer = undefined;
    const now = this.#now();
    for (let first = this.#first; first !== undefined && first.dueAt <= now; first = this.#first) {
      this.stop(first);
      first.timeUp();
    }
    if (this.#first !== undefined) this.#timer ??= this.#ringIn(this.#first.dueAt - now);
  };
}
