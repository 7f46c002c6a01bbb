import type { Clock } from '../filter/define-filter.ts';
import type { ProcessLog } from '../process-log.ts';
import type { Stats } from '../stats/index.ts';
import { addToFamilies } from './add-to-families.ts';
import type { MetricFamily } from './family.ts';
import type { FamilySource } from './family-source.ts';
import { mergeFamilies } from './merge-families.ts';
import { ownFamilies } from './own-families.ts';
import type { ScrapeStats } from './scrape-stats.ts';
import { ScrapeLog } from './scrape-log.ts';
import type { Snapshot } from './push/snapshot.ts';
import type { Target } from './scrape/target.ts';

export interface CollectorParts {
  readonly log: ProcessLog;
  readonly stats: Stats;
  readonly clock: Clock;
  readonly scrapeStats: ScrapeStats;
}

/** What is collected, all of one configuration. */
export interface Collected {
  readonly targets: readonly Target[];
  readonly sources: readonly FamilySource[];
  /** Labels of all series; the same map as long as nothing changes. */
  readonly labels: () => ReadonlyMap<string, string>;
}

/** Scrapes the targets and makes one page of what they say, what the sources say and what there is to say of this process. */
export class Collector {
  readonly #parts: CollectorParts;
  readonly #scrapeLog: ScrapeLog;
  #collected: Collected;
  #underWay: Promise<Snapshot> | undefined;

  constructor(parts: CollectorParts, collected: Collected) {
    this.#parts = parts;
    this.#scrapeLog = new ScrapeLog(parts.log);
    this.#collected = collected;
  }

  /** Goes on with another configuration; what is under way ends with the old one. */
  replace(collected: Collected): void {
    for (const { options } of this.#collected.targets) {
      if (!collected.targets.some((target) => target.options.name === options.name))
        this.#parts.scrapeStats.forget(options.name);
    }
    this.#collected = collected;
  }

  /**
   * A page of now. Who asks while one is being made gets the same. A target that fails is missing from it, and `up` says so.
   * @param budget milliseconds that the scrapes may take
   */
  collect(budget = Infinity): Promise<Snapshot> {
    this.#underWay ??= this.#collect(budget).finally(() => (this.#underWay = undefined));
    return this.#underWay;
  }

  /** Resolves when nothing is under way. Never rejects. */
  async settled(): Promise<void> {
    await this.#underWay?.catch(() => {});
  }

  async #collect(budget: number): Promise<Snapshot> {
    const { targets, sources, labels } = this.#collected;
    const { stats, scrapeStats, clock } = this.#parts;
    const added = labels();
    for (const target of targets) target.relabel(added);
    const [results, fromSources] = await Promise.all([
      Promise.all(targets.map((target) => target.scrape(budget))),
      Promise.all(sources.map((source) => this.#ask(source))),
    ]);
    // A target may have been configured away meanwhile; it was forgotten then, and stays so.
    const names = new Set(this.#collected.targets.map(({ options }) => options.name));
    for (const result of results.filter(({ target }) => names.has(target))) {
      scrapeStats.scraped(result);
      this.#scrapeLog.scraped(result);
    }
    // The app's own families come first; what is said of this process knows of the scrapes, so it is asked last.
    const own = await ownFamilies(stats);
    const merged = mergeFamilies([
      ...results.map(({ families }) => families),
      ...[...fromSources, own].map((families) => addToFamilies(families, added)),
    ]);
    scrapeStats.merged(merged);
    return { families: merged.families, at: clock.now() };
  }

  async #ask(source: FamilySource): Promise<readonly MetricFamily[]> {
    try {
      return await source.families(this.#parts.clock.now());
    } catch (error) {
      this.#parts.log.error('a source of metrics failed', { source: source.name, error });
      return [];
    }
  }
}
