import type { AdminEndpoint } from '../admin/index.ts';
import type { LoadedRoleConfig } from '../config/loaded-role-config.ts';
import { collectAll } from '../collect-garbage.ts';
import { PodMetadata } from '../pod/index.ts';
import type { Role, RoleParts, RunningRole } from '../role/role.ts';
import { addedLabels } from './added-labels.ts';
import { buildSources, type Sources } from './build-sources.ts';
import { buildTargets } from './build-targets.ts';
import { Collector, type Collected } from './collector.ts';
import { metricsSchema, type MetricsConfig } from './config.ts';
import { reducedHistograms } from './native-histograms.ts';
import { PageGarbage } from './page-garbage.ts';
import { pageReply } from './page-reply.ts';
import type { Push } from './push/index.ts';
import { scrapeBudget } from './scrape-budget.ts';
import { scrapeStats } from './scrape-stats.ts';
import type { Target } from './scrape/target.ts';
import type { Snapshot } from './push/snapshot.ts';

/** `portico metrics`: the monitoring sidecar. */
export const metrics: Role<MetricsConfig> = {
  name: 'metrics',
  doc: 'Scrapes the metrics of the app, adds what is known of the pod, and shows them on a port of its own.',
  schema: metricsSchema,
  v8Flags: [
    // V8 may let a heap grow fourfold before it collects; so it doubles.
    '--heap-growing-percent=100',
    // What is made while the collector marks step by step counts as held until the next time: a whole page, and 40 MB more with
    // 50,000 series. Marking at once stops a scrape for 20 ms, and takes less CPU.
    '--no-incremental-marking',
  ],
  async start(loaded, parts) {
    const push = await startPush(loaded.config, parts);
    const sources = await buildSources(loaded.config, parts);
    const started = { push, sources, pod: await startPod(loaded) };
    return new MetricsRole(loaded, parts, started);
  },
};

/** What takes time to start. */
interface Started {
  readonly push: Push | undefined;
  readonly sources: Sources;
  readonly pod: PodMetadata;
}

class MetricsRole implements RunningRole<MetricsConfig> {
  readonly endpoints: readonly AdminEndpoint[];
  readonly #parts: RoleParts;
  readonly #collector: Collector;
  #loaded: LoadedRoleConfig<MetricsConfig>;
  #targets: readonly Target[];
  #sources: Sources;
  #pod: PodMetadata;
  #labels: () => ReadonlyMap<string, string>;
  /** Stays when `push` is configured away, until its outputs have ended. */
  #push: Push | undefined;
  readonly #garbage = new PageGarbage(collectAll);
  readonly #reduced: (count: number) => void;
  #timer: NodeJS.Timeout | undefined;
  #pushTimer: NodeJS.Timeout | undefined;
  #pushClosed: Promise<number> | undefined;
  /** With an interval: what the last scrape brought. */
  #last: Snapshot | undefined;

  constructor(loaded: LoadedRoleConfig<MetricsConfig>, parts: RoleParts, { push, sources, pod }: Started) {
    this.#parts = parts;
    this.#loaded = loaded;
    this.#targets = buildTargets(loaded.config);
    this.#pod = pod;
    this.#labels = addedLabels(loaded.config, pod);
    this.#sources = sources;
    this.#push = push;
    const instance = (name: string) => this.#config.targets.find((target) => target.name === name)?.url.host ?? '';
    const { log, stats, clock } = parts;
    const collectorParts = { log: log.child('metrics'), stats, clock, scrapeStats: scrapeStats(stats, instance) };
    this.#collector = new Collector(collectorParts, this.#collected());
    this.#reduced = reducedHistograms(stats, log);
    this.endpoints = [this.#page()];
    this.#keepScraping();
    this.#keepPushing();
  }

  ready(): boolean {
    return this.#sources.health?.ready() ?? true;
  }

  async reload(loaded: LoadedRoleConfig<MetricsConfig>): Promise<readonly string[]> {
    const targets = this.#targets;
    const sources = this.#sources;
    // Checks that nobody changed go on, so that the app does not look unchecked for a moment.
    const before = this.#loaded;
    const kept = sourceOptions.every((name) => asWritten(before, name) === asWritten(loaded, name));
    const samePush = asWritten(before, 'push') === asWritten(loaded, 'push');
    const notes = samePush ? [] : await this.#replacePush(loaded.config);
    const pod = await startPod(loaded);
    if (!kept) this.#sources = await buildSources(loaded.config, this.#parts);
    this.#pod.stop();
    this.#pod = pod;
    this.#labels = addedLabels(loaded.config, pod);
    this.#loaded = loaded;
    this.#targets = buildTargets(loaded.config);
    this.#collector.replace(this.#collected());
    this.#keepScraping();
    if (!samePush) this.#keepPushing();
    // A scrape that is under way ends as it began.
    void this.#collector.settled().then(() => close(targets, kept ? undefined : sources));
    return notes;
  }

  /** The last page may be asked for until the end. What is pushed gets a last snapshot, and the time that its outputs have for it. */
  async drain(): Promise<number> {
    clearInterval(this.#pushTimer);
    // Not awaited: a queue that is full may hold it back until the outputs are closed.
    if (this.#push !== undefined) void this.#push.offer(await this.#collector.collect(lastScrape));
    const lost = await this.#closePush();
    if (lost > 0) this.#parts.log.warn('what waited to be pushed is lost', { batches: lost });
    return lost > 0 ? 1 : 0;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    clearInterval(this.#pushTimer);
    await this.#closePush();
    this.#pod.stop();
    await close(this.#targets, this.#sources);
  }

  get #config(): MetricsConfig {
    return this.#loaded.config;
  }

  #collected(): Collected {
    return { targets: this.#targets, sources: this.#sources.all, labels: this.#labels };
  }

  #page(): AdminEndpoint {
    return {
      path: '/metrics',
      doc: 'The metrics of the targets and of the sidecar, in the Prometheus text format or OpenMetrics as asked for.',
      mutates: false,
      render: async (_view, { headers }) => {
        const patience = headers['x-prometheus-scrape-timeout-seconds']?.[0];
        const budget = scrapeBudget(patience, this.#config.scrape_timeout_offset);
        const snapshot = this.#last ?? (await this.#collector.collect(budget));
        const { reducedHistograms: reduced, ...reply } = pageReply(snapshot, headers);
        this.#reduced(reduced);
        return { ...reply, body: this.#garbage.after(reply.body, snapshot.families) };
      },
    };
  }

  #keepScraping(): void {
    clearInterval(this.#timer);
    this.#last = undefined;
    const { scrape_interval: interval } = this.#config;
    if (interval === 0) return;
    const scrape = async () => {
      try {
        const snapshot = await this.#collector.collect();
        // Meanwhile another configuration may say that the page is made when it is asked for.
        if (this.#config.scrape_interval > 0) this.#last = snapshot;
        // The one before is what nobody needs.
        this.#garbage.left(snapshot.families);
      } catch (error) {
        this.#parts.log.error('no page was made', { error });
      }
    };
    this.#timer = setInterval(() => void scrape(), interval);
    void scrape();
  }

  /** @returns what takes effect at the next start only. @throws Node's error when the folder of a queue cannot be used */
  async #replacePush(config: MetricsConfig): Promise<readonly string[]> {
    if (this.#push !== undefined) return this.#push.replace(config.push?.outputs ?? []);
    this.#push = await startPush(config, this.#parts);
    return [];
  }

  /** The first snapshot goes at once, the others at the interval. */
  #keepPushing(): void {
    clearInterval(this.#pushTimer);
    const { push } = this.#config;
    const to = this.#push;
    if (push === undefined || to === undefined) return;
    let waiting = false;
    const offer = async () => {
      // A queue that is full holds a snapshot back: there is no use in a second one behind it.
      if (waiting) return;
      waiting = true;
      try {
        const snapshot = await this.#collector.collect();
        await to.offer(snapshot);
        this.#garbage.left(snapshot.families);
      } catch (error) {
        this.#parts.log.error('nothing was pushed', { error });
      } finally {
        waiting = false;
      }
    };
    this.#pushTimer = setInterval(() => void offer(), push.interval);
    void offer();
  }

  #closePush(): Promise<number> {
    this.#pushClosed ??= this.#push?.close() ?? Promise.resolve(0);
    return this.#pushClosed;
  }
}

/** Milliseconds that the app has for its last scrape, when the sidecar ends. */
const lastScrape = 1000;

function startPod(loaded: LoadedRoleConfig<MetricsConfig>): Promise<PodMetadata> {
  const resolvePath = (path: string) => loaded.resolvePath(path);
  return PodMetadata.start(loaded.config.pod, { environment: process.env, resolvePath });
}

/** Loaded only when it is configured. */
async function startPush({ push }: MetricsConfig, parts: RoleParts): Promise<Push | undefined> {
  return push === undefined ? undefined : (await import('./push/index.ts')).createPush(push, parts);
}

const sourceOptions = ['health', 'process', 'pressure', 'derived'] as const;

function asWritten(loaded: LoadedRoleConfig<MetricsConfig>, option: string): string | undefined {
  return JSON.stringify(loaded.written([option]));
}

async function close(targets: readonly Target[], sources: Sources | undefined): Promise<void> {
  for (const target of targets) target.close();
  await Promise.all((sources?.all ?? []).map((source) => source.close()));
}
