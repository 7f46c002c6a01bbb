import { setFlagsFromString } from 'node:v8';
import type { AdminEndpoint } from '../admin/index.ts';
import type { LoadedRoleConfig } from '../config/loaded-role-config.ts';
import type { Role, RoleParts, RunningRole } from '../role/role.ts';
import { buildSources, type Sources } from './build-sources.ts';
import { buildTargets } from './build-targets.ts';
import { Collector, type Collected } from './collector.ts';
import { metricsSchema, type MetricsConfig } from './config.ts';

import { pageReply } from './page-reply.ts';
import { scrapeBudget } from './scrape-budget.ts';
import { scrapeStats } from './scrape-stats.ts';
import type { Target } from './scrape/target.ts';
import type { Snapshot } from './snapshot.ts';

/** `portico metrics`: the monitoring sidecar. */
export const metrics: Role<MetricsConfig> = {
  name: 'metrics',
  doc: 'Scrapes the metrics of the app, adds what is known of the pod, and shows them on a port of its own.',
  schema: metricsSchema,
  async start(loaded, parts) {
    // V8 lets a heap double before it collects, which a page of 50,000 series turns into 80 MB. A collection takes 5 ms.
    setFlagsFromString('--heap-growing-percent=10');
    return new MetricsRole(loaded, parts, await buildSources(loaded.config, parts));
  },
};

class MetricsRole implements RunningRole<MetricsConfig> {
  readonly endpoints: readonly AdminEndpoint[];
  readonly #parts: RoleParts;
  readonly #collector: Collector;
  #loaded: LoadedRoleConfig<MetricsConfig>;
  #targets: readonly Target[];
  #sources: Sources;
  #timer: NodeJS.Timeout | undefined;
  /** With an interval: what the last scrape brought. */
  #last: Snapshot | undefined;

  constructor(loaded: LoadedRoleConfig<MetricsConfig>, parts: RoleParts, sources: Sources) {
    this.#parts = parts;
    this.#loaded = loaded;
    this.#targets = buildTargets(loaded.config, new Map());
    this.#sources = sources;
    const instance = (name: string) => this.#config.targets.find((target) => target.name === name)?.url.host ?? '';
    const { log, stats, clock } = parts;
    const collectorParts = { log: log.child('metrics'), stats, clock, scrapeStats: scrapeStats(stats, instance) };
    this.#collector = new Collector(collectorParts, this.#collected());
    this.endpoints = [this.#page()];
    this.#keepScraping();
  }

  ready(): boolean {
    return this.#sources.health?.ready() ?? true;
  }

  async reload(loaded: LoadedRoleConfig<MetricsConfig>): Promise<readonly string[]> {
    const targets = this.#targets;
    const sources = this.#sources;
    // Checks that nobody changed go on, so that the app does not look unchecked for a moment.
    const kept = sourceOptions.every((name) => asWritten(this.#loaded, name) === asWritten(loaded, name));
    if (!kept) this.#sources = await buildSources(loaded.config, this.#parts);
    this.#loaded = loaded;
    this.#targets = buildTargets(loaded.config, new Map());
    this.#collector.replace(this.#collected());
    this.#keepScraping();
    // A scrape that is under way ends as it began.
    void this.#collector.settled().then(() => close(targets, kept ? undefined : sources));
    return [];
  }

  /** The last page may be asked for until the end: there is nothing to wait for. */
  drain(): Promise<number> {
    return Promise.resolve(0);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await close(this.#targets, this.#sources);
  }

  get #config(): MetricsConfig {
    return this.#loaded.config;
  }

  #collected(): Collected {
    return { targets: this.#targets, sources: this.#sources.all, labels: () => this.#config.labels };
  }

  #page(): AdminEndpoint {
    return {
      path: '/metrics',
      doc: 'The metrics of the targets and of the sidecar, in the Prometheus text format or OpenMetrics as asked for.',
      mutates: false,
      render: async (_view, { headers }) => {
        const patience = headers['x-prometheus-scrape-timeout-seconds']?.[0];
        const budget = scrapeBudget(patience, this.#config.scrape_timeout_offset);
        return pageReply(this.#last ?? (await this.#collector.collect(budget)), headers);
      },
    };
  }

  #keepScraping(): void {
    clearInterval(this.#timer);
    this.#last = undefined;
    const { scrape_interval: interval } = this.#config;
    if (interval === 0) return;
    const scrape = async () => {
      const snapshot = await this.#collector.collect();
      // Meanwhile another configuration may say that the page is made when it is asked for.
      if (this.#config.scrape_interval > 0) this.#last = snapshot;
    };
    this.#timer = setInterval(() => void scrape(), interval);
    void scrape();
  }
}

const sourceOptions = ['health', 'process', 'pressure'] as const;

function asWritten(loaded: LoadedRoleConfig<MetricsConfig>, option: string): string | undefined {
  return JSON.stringify(loaded.written([option]));
}

async function close(targets: readonly Target[], sources: Sources | undefined): Promise<void> {
  for (const target of targets) target.close();
  await Promise.all((sources?.all ?? []).map((source) => source.close()));
}
