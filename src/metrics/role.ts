import type { AdminEndpoint } from '../admin/index.ts';
import type { LoadedRoleConfig } from '../config/loaded-role-config.ts';
import type { Role, RoleParts, RunningRole } from '../role/role.ts';
import { buildTargets } from './build-targets.ts';
import { Collector, type Collected } from './collector.ts';
import { metricsSchema, type MetricsConfig } from './config.ts';
import type { Snapshot } from './family-source.ts';
import { pageReply } from './page-reply.ts';
import { scrapeBudget } from './scrape-budget.ts';
import { scrapeStats } from './scrape-stats.ts';

/** `portico metrics`: the monitoring sidecar. */
export const metrics: Role<MetricsConfig> = {
  name: 'metrics',
  doc: 'Scrapes the metrics of the app, adds what is known of the pod, and shows them on a port of its own.',
  schema: metricsSchema,
  start: (loaded, parts) => Promise.resolve(new MetricsRole(loaded, parts)),
};

class MetricsRole implements RunningRole<MetricsConfig> {
  readonly endpoints: readonly AdminEndpoint[];
  readonly #collector: Collector;
  #config: MetricsConfig;
  #collected: Collected;
  #timer: NodeJS.Timeout | undefined;
  /** With an interval: what the last scrape brought. */
  #last: Snapshot | undefined;

  constructor({ config }: LoadedRoleConfig<MetricsConfig>, { log, stats, clock }: RoleParts) {
    this.#config = config;
    this.#collected = build(config);
    const instance = (name: string) => this.#config.targets.find((target) => target.name === name)?.url.host ?? '';
    this.#collector = new Collector(
      { log: log.child('metrics'), stats, clock, scrapeStats: scrapeStats(stats, instance) },
      this.#collected,
    );
    this.endpoints = [this.#page()];
    this.#keepScraping();
  }

  reload({ config }: LoadedRoleConfig<MetricsConfig>): Promise<readonly string[]> {
    const before = this.#collected;
    this.#config = config;
    this.#collected = build(config);
    this.#collector.replace(this.#collected);
    this.#keepScraping();
    // A scrape that is under way ends as it began.
    void this.#collector.settled().then(() => close(before));
    return Promise.resolve([]);
  }

  /** The last page may be asked for until the end: there is nothing to wait for. */
  drain(): Promise<number> {
    return Promise.resolve(0);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await close(this.#collected);
  }

  #page(): AdminEndpoint {
    return {
      path: '/metrics',
      doc: 'The metrics of the targets and of the sidecar, in the Prometheus text format or OpenMetrics as asked for.',
      mutates: false,
      render: async (_view, { headers }) => {
        const budget = scrapeBudget(
          headers['x-prometheus-scrape-timeout-seconds']?.[0],
          this.#config.scrape_timeout_offset,
        );
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

function build(config: MetricsConfig): Collected {
  return { targets: buildTargets(config, new Map()), sources: [], labels: () => config.labels };
}

async function close({ targets, sources }: Collected): Promise<void> {
  for (const target of targets) target.close();
  await Promise.all(sources.map((source) => source.close()));
}
