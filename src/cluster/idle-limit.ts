/** An app that closes earlier than this was about to end, or is broken; both say nothing about its idle timer. Milliseconds. */
const shortest = 100;
/** Connections that end within so many milliseconds ended for one reason. */
const together = 20;
/** What is older does not count any more: the app may be another version by now. */
const longestMemory = 10 * 60_000;
const mostSamples = 16;
/** When the app refuses connections, those that ended so shortly before ended with it. */
const lastBreath = 2_000;

interface Sample {
  readonly at: number;
  age: number;
}

/**
 * How long an unused connection of a cluster may still be used: less than the app keeps it, so that no request meets the
 * close half way. The app may say how long that is (`Keep-Alive: timeout=`); else it shows, by what it closes.
 */
export class IdleLimit {
  readonly #own: number;
  readonly #report: (appCloses: number | undefined, limit: number) => void;
  #samples: Sample[] = [];
  #announced: number | undefined;
  #learned: number | undefined;
  #limit: number;
  /** Clock reading from which the oldest sample does not count any more. */
  #forgetAt = Infinity;

  /**
   * @param own milliseconds that are configured; 0 is no limit
   * @param report told at the start and of every change, in milliseconds: after how long the app closes, if known, and the limit
   */
  constructor(own: number, report: (appCloses: number | undefined, limit: number) => void) {
    this.#own = own === 0 ? Infinity : own;
    this.#report = report;
    this.#limit = this.#own;
    report(undefined, this.#limit);
  }

  /** Milliseconds; a connection that was unused for as long is not used again. */
  at(now: number): number {
    if (now >= this.#forgetAt) this.#settle(now);
    return this.#limit;
  }

  /** The app closed a connection that had been unused for `age` milliseconds. */
  closedByApp(age: number, now: number): void {
    if (age < shortest) return;
    const last = this.#samples.at(-1);
    // At the end of a process all connections go at once, whatever their age. A timer closes those of one age.
    if (last !== undefined && now - last.at <= together) last.age = Math.max(last.age, age);
    else this.#samples.push({ at: now, age });
    if (this.#samples.length > mostSamples) this.#samples.shift();
    this.#settle(now);
  }

  /** A connection was unused for `age` milliseconds, and the app had not closed it. */
  outlived(age: number, now: number): void {
    const wrong = this.#samples.findIndex((sample) => sample.age < age);
    if (wrong < 0) return;
    this.#samples.splice(wrong, 1);
    this.#settle(now);
  }

  /** The app says how long it keeps an unused connection, in milliseconds. */
  announced(milliseconds: number, now: number): void {
    if (this.#announced === milliseconds) return;
    this.#announced = milliseconds;
    this.#settle(now);
  }

  /** The app refuses connections: what it closed last ended with it, and the next one may have other habits. */
  appGone(now: number): void {
    if (this.#samples.length === 0 && this.#announced === undefined) return;
    this.#samples = this.#samples.filter(({ at }) => at < now - lastBreath);
    this.#announced = undefined;
    this.#settle(now);
  }

  #settle(now: number): void {
    this.#samples = this.#samples.filter(({ at }) => now - at < longestMemory);
    this.#forgetAt = this.#samples.length === 0 ? Infinity : this.#samples[0]!.at + longestMemory;
    this.#learned = this.#samples.reduce<number | undefined>(
      (least, { age }) => Math.min(least ?? age, age),
      undefined,
    );
    const limit = Math.min(
      this.#own,
      this.#announced === undefined ? Infinity : belowAnnounced(this.#announced),
      this.#learned === undefined ? Infinity : belowLearned(this.#learned),
    );
    this.#limit = limit;
    const known = Math.min(this.#announced ?? Infinity, this.#learned ?? Infinity);
    this.#report(known === Infinity ? undefined : known, limit);
  }
}

/** Whole seconds are said, and rounding, timers and the way here take their part. */
export function belowAnnounced(milliseconds: number): number {
  return milliseconds - Math.min(1000, milliseconds / 2);
}

/** What was seen is exact, but includes the way here. */
export function belowLearned(milliseconds: number): number {
  return milliseconds - Math.min(1000, Math.max(20, milliseconds / 10));
}
