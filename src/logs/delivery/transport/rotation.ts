import type { Clock } from '../../../filter/define-filter.ts';

/** Milliseconds for which a target that failed is not asked again, while there are others. */
const skipFor = 30_000;

/** Targets that take turns; one that failed is left out for a while. */
export class Rotation<T> {
  readonly #targets: readonly T[];
  readonly #clock: Clock;
  readonly #until = new Map<T, number>();
  #next = 0;

  constructor(targets: readonly T[], clock: Clock) {
    this.#targets = targets;
    this.#clock = clock;
  }

  /** When all have failed, the one whose time is up first. */
  pick(): T {
    const count = this.#targets.length;
    let soonest = this.#targets[this.#next % count]!;
    for (let step = 0; step < count; step++) {
      const target = this.#targets[(this.#next + step) % count]!;
      if (!this.skipped(target)) {
        this.#next = (this.#next + step + 1) % count;
        return target;
      }
      if (this.#until.get(target)! < this.#until.get(soonest)!) soonest = target;
    }
    return soonest;
  }

  skipped(target: T): boolean {
    const until = this.#until.get(target);
    return until !== undefined && until > this.#clock.monotonic();
  }

  failed(target: T): void {
    this.#until.set(target, this.#clock.monotonic() + skipFor);
  }

  worked(target: T): void {
    this.#until.delete(target);
  }
}
