import { Stats } from '../stats/index.ts';
import { describeFamilies, mergeFamilies, remains, renderFamilies, type MetricFamily } from './merge-metrics.ts';
import { patience } from './order.ts';
import type { WorkerPlace } from './worker-place.ts';

/** For the admin, whose metrics are those of all processes: the primary, the workers, and those workers that are no more. */
export class GroupStats extends Stats {
  readonly #primary: Stats;
  readonly #places: readonly WorkerPlace[];
  /** What each worker said when it was last asked. */
  readonly #last = new Map<WorkerPlace, readonly MetricFamily[]>();
  /** What workers that are no more have counted. */
  #departed: readonly MetricFamily[] = [];

  constructor(primary: Stats, places: readonly WorkerPlace[]) {
    super();
    this.#primary = primary;
    this.#places = places;
  }

  /** The worker at a place is no more. */
  ended(place: WorkerPlace): void {
    this.#departed = mergeFamilies([this.#departed, remains(this.#of(place))]);
    this.#last.delete(place);
  }

  override async render(): Promise<string> {
    await Promise.all(this.#places.map((place) => this.#ask(place)));
    const primary = await describeFamilies(this.#primary);
    // Read together: who ends is among the departed from then on, and must not count twice.
    const workers = this.#places.map((place) => this.#of(place));
    return renderFamilies(mergeFamilies([primary, ...workers, this.#departed]));
  }

  async #ask(place: WorkerPlace): Promise<void> {
    if (!place.live) return;
    // One that is too busy to answer has still counted what it had counted.
    const metrics = await place.link?.ask('metrics', {}, patience).catch(() => undefined);
    if (metrics !== undefined && place.live) this.#last.set(place, metrics);
  }

  #of(place: WorkerPlace): readonly MetricFamily[] {
    return this.#last.get(place) ?? [];
  }
}
