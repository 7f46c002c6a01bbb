/** A Portico of several processes: this one, the primary, has the admin and the configuration; workers serve clients. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { resolve } from 'node:path';
import packageJson from '../../package.json' with { type: 'json' };
import {
  adminEndpoints,
  createAdmin,
  lifecycleEndpoints,
  proxyEndpoints,
  type Admin,
  type LastReload,
  type Lifecycle,
  type ProxyView,
  type ReloadReport,
  type ServerInfo,
  type ServerState,
} from '../admin/index.ts';
import { loadConfig, type LoadedConfig } from '../config/index.ts';
import { faultsOf, refuseEmpty } from '../config/refusal.ts';
import type { Address } from '../options/index.ts';
import { createProcessLog, type LogLevel, type ProcessLog } from '../process-log.ts';
import { restartNotes, watchedFiles } from '../server-reload.ts';
import { serverStats, type ServerStats } from '../server-stats.ts';
import { ServerWatch } from '../server-watch.ts';
import type { ReloadOptions } from '../server.ts';
import { Stats } from '../stats/index.ts';
import { processMetrics } from '../stats/process-metrics.ts';
import { CeilingLedger } from './ceiling-ledger.ts';
import { GroupStats } from './group-stats.ts';
import { mergeClusters, mergeListeners } from './merge-views.ts';
import type { SocketWish } from './primary-sockets.ts';
import { patience, type OrderName, type Orders, type Started, type WorkerShown } from './order.ts';
import { SharedSockets } from './shared-sockets.ts';
import { WorkerLink } from './worker-link.ts';
import { WorkerPlace, type WorkerPlaceParts } from './worker-place.ts';
import { workersEndpoint, type WorkerView } from './workers-endpoint.ts';

const program = fileURLToPath(new URL('worker.ts', import.meta.url));

/** Milliseconds that a worker has for a new configuration; one that takes longer is replaced. */
const reloadPatience = 30_000;
/** Milliseconds that workers have to cut everything. */
const stopPatience = 2000;

type Live = WorkerPlace & { readonly link: WorkerLink };

export class WorkerGroup implements Lifecycle {
  readonly log: ProcessLog;
  readonly stats = new Stats();
  /** Resolves with the exit code when it has drained, whoever asked for it. */
  readonly stopped: Promise<number>;
  readonly #places: readonly WorkerPlace[];
  readonly #admin: Admin;
  readonly #sockets = new SharedSockets<WorkerLink>();
  readonly #ceilings = new CeilingLedger<WorkerLink>((link, order) => link.tell(order));
  readonly #groupStats: GroupStats;
  readonly #watch: ServerWatch;
  readonly #counters: ServerStats;
  readonly #stopMetrics: () => void;
  readonly #started = performance.now();
  #loaded: LoadedConfig;
  #loadedAt = new Date();
  #lastReload: LastReload | undefined;
  #reloading: Promise<unknown> = Promise.resolve();
  #listening: readonly string[] = [];
  #state: ServerState = 'INITIALIZING';
  #quitting = false;
  #stopping: Promise<number> | undefined;
  #stop!: (code: number) => void;

  private constructor(loaded: LoadedConfig, count: number) {
    this.#loaded = loaded;
    this.log = createProcessLog({ ...loaded.config.log, colour: process.stderr.isTTY });
    this.stopped = new Promise((resolve) => (this.#stop = resolve));
    this.#stopMetrics = processMetrics(this.stats, { version: packageJson.version });
    this.#counters = serverStats(this.stats, { hash: () => this.#loaded.hash, listeners: () => [] });
    const restarts = this.stats
      .counter('portico_workers_restarts_total', 'Workers that ended without being told to, and were replaced.')
      .with({});
    const parts: WorkerPlaceParts = {
      log: this.log,
      restarts,
      fill: (place) => this.#fill(place),
      ended: (place, link) => this.#ended(place, link),
    };
    this.#places = Array.from({ length: count }, (_, at) => new WorkerPlace(at + 1, parts));
    this.#groupStats = new GroupStats(this.stats, this.#places);
    this.stats.observed('portico_workers_live', 'Workers that serve clients.', [], () => [[{}, this.#live().length]]);
    this.#watch = new ServerWatch({
      options: loaded.config.reload,
      configChanged: (files) => void this.reload(`changed: ${files.join(', ')}`),
      // Workers follow those by themselves.
      certificatesChanged: () => {},
      certificateFiles: () => [],
    });
    this.#admin = createAdmin<ProxyView>(loaded.config.admin, {
      view: {
        state: () => this.state,
        clusters: async () => mergeClusters((await this.#show()).map(({ clusters }) => clusters)),
        listeners: async () => mergeListeners((await this.#show()).map(({ listeners }) => listeners)),
        configDump: () => this.#loaded.dump(),
        serverInfo: () => this.#info(),
        stats: this.#groupStats,
        log: this.log,
        logLevelChanged: (level) => this.#setLevel(level),
      },
      endpoints: adminEndpoints([...proxyEndpoints, ...lifecycleEndpoints(this), workersEndpoint(() => this.#views())]),
    });
  }

  /**
   * Starts the workers; resolves when all of them serve.
   * @param count of workers
   * @throws ConfigError for what is wrong with the configuration, Error of one line for an address that cannot be listened on
   */
  static async start(loaded: LoadedConfig, count: number): Promise<WorkerGroup> {
    const group = new WorkerGroup(loaded, count);
    try {
      await group.#admin.listen();
      const [first, ...others] = group.#places as [WorkerPlace, ...WorkerPlace[]];
      // Alone, so that what is wrong is said once.
      group.#listening = (await group.#fill(first)).listening;
      await Promise.all(others.map((place) => group.#fill(place)));
    } catch (error) {
      await group.stop();
      throw error;
    }
    // Ends by itself when its primary does, unless it hangs.
    process.once('exit', () => {
      for (const { link } of group.#places) link?.kill();
    });
    await group.#watch.start(watchedFiles(loaded));
    if (group.#state === 'INITIALIZING') group.#state = 'LIVE';
    return group;
  }

  /** Ready only with all its workers. */
  get state(): ServerState {
    return this.#state === 'LIVE' && this.#live().length < this.#places.length ? 'INITIALIZING' : this.#state;
  }

  adminAddress(): Address {
    return this.#admin.address();
  }

  listening(): readonly string[] {
    return this.#listening;
  }

  /** Starts a worker and brings it to where the others are. @throws when it does not come to serve */
  async #fill(place: WorkerPlace): Promise<Started> {
    const link: WorkerLink = new WorkerLink(fork(program, [], { serialization: 'advanced' }), {
      wished: (wish) => void this.#grant(link, wish),
      told: (message) => {
        for (const other of this.#live()) if (other.link !== link) other.link.pass(message);
      },
      ceiling: (news) => this.#ceilings.hear(link, news),
    });
    place.take(link);
    const loaded = this.#loaded;
    const { level } = this.log;
    const answer = await link.ask('start', {
      file: loaded.file,
      source: sourceOf(loaded),
      worker: place.worker,
      workers: this.#places.length,
      level,
    });
    // Meanwhile the others may have been told something that this one has not heard.
    for (let heard = loaded; heard !== this.#loaded;) {
      heard = this.#loaded;
      await link.ask('reload', { reason: 'reloaded meanwhile', dryRun: false, source: sourceOf(heard) });
    }
    if (this.log.level !== level) await link.ask('level', { level: this.log.level });
    if (this.#state === 'DRAINING') await link.ask('startDraining', {});
    place.serves(link);
    return answer;
  }

  #ended(place: WorkerPlace, link: WorkerLink): void {
    this.#sockets.forget(link);
    this.#ceilings.forget(link);
    this.#groupStats.ended(place);
  }

  async #grant(link: WorkerLink, wish: SocketWish): Promise<void> {
    const { socket, key } = wish;
    if (!('open' in wish)) {
      return link.give({ socket, last: await this.#sockets.letGo(link, key) });
    }
    try {
      const { handle, address } = await this.#sockets.open(link, key, wish.open);
      link.give({ socket, address }, handle);
    } catch (error) {
      const { code = '', message } = error as NodeJS.ErrnoException;
      link.give({ socket, failed: { code, message } });
    }
  }

  #live(): readonly Live[] {
    return this.#places.filter((place): place is Live => place.live && place.link !== undefined);
  }

  /** What those answer who do, in order. */
  async #askAll<N extends OrderName>(name: N, order: Orders[N]['order']): Promise<Orders[N]['answer'][]> {
    const asked = await Promise.allSettled(this.#live().map(({ link }) => link.ask(name, order, patience)));
    return asked.filter((one) => one.status === 'fulfilled').map(({ value }) => value);
  }

  #show(): Promise<WorkerShown[]> {
    return this.#askAll('show', {});
  }

  async #views(): Promise<WorkerView[]> {
    return Promise.all(
      this.#places.map(async ({ worker, link, live, restarts }) => {
        const shown = live ? await link?.ask('show', {}, patience).catch(() => undefined) : undefined;
        const sum = (what: 'connections' | 'active_exchanges') =>
          shown?.listeners.reduce((total, listener) => total + listener[what], 0);
        return {
          worker,
          pid: link?.pid,
          state: !live ? ('GONE' as const) : (shown?.state ?? ('SILENT' as const)),
          restarts,
          uptime_seconds: shown?.uptime_seconds,
          connections: sum('connections'),
          active_exchanges: sum('active_exchanges'),
          overload: shown?.overload,
        };
      }),
    );
  }

  async #setLevel(level: LogLevel): Promise<void> {
    await this.#askAll('level', { level });
  }

  /** As that of one process: the file is read here, and all workers get what was read. Never rejects. */
  reload(reason: string, { dryRun = false }: ReloadOptions = {}): Promise<ReloadReport> {
    const reloaded = this.#reloading.then(() => this.#reload(reason, dryRun));
    this.#reloading = reloaded;
    return reloaded;
  }

  async #reload(reason: string, dryRun: boolean): Promise<ReloadReport> {
    const before = this.#loaded;
    const files = new Map<string, string | undefined>();
    let loaded: LoadedConfig | undefined;
    let report: ReloadReport;
    try {
      if (this.#state !== 'LIVE') throw new Error('portico is draining: it takes no new configuration');
      loaded = await loadConfig(before.file, { files });
      if (!before.empty) refuseEmpty(loaded);
      report = await this.#offer(loaded, reason, dryRun);
    } catch (error) {
      const { file, hash } = before;
      const faults = faultsOf(error, loaded);
      report = { result: 'refused', config_file: resolve(file), config_hash: hash, faults, notes: [] };
    }
    const { result, faults } = report;
    if (dryRun || result === 'good') return report;
    this.#lastReload = { at: new Date().toISOString(), reason, result, faults };
    if (result === 'refused' || loaded === undefined) {
      this.#watch.alsoWatch(files);
      this.#counters.reloadFailed();
      this.log.error('configuration not reloaded; the running one stays', { reason, faults });
      return report;
    }
    this.#watch.now(watchedFiles(loaded), loaded.config.reload);
    this.#counters.reloaded();
    this.log.info('configuration reloaded', { reason, hash: loaded.hash, workers: this.#live().length });
    return { ...report, notes: restartNotes(before, loaded) };
  }

  /** One worker says whether it can be had; when it can, all get it. */
  async #offer(loaded: LoadedConfig, reason: string, dryRun: boolean): Promise<ReloadReport> {
    const first = this.#live()[0]?.link;
    if (first === undefined) throw new Error('no worker is there; try again');
    const order = { reason, dryRun, source: sourceOf(loaded) };
    const report = await first.ask('reload', order, reloadPatience);
    if (report.result !== 'applied') return report;
    const before = this.#loaded;
    this.#loaded = loaded;
    this.#loadedAt = new Date();
    const { level } = loaded.config.log;
    if (level !== before.config.log.level) this.log.level = level;
    // Those who have come meanwhile came with what was good before; who comes now asks by himself.
    const others = this.#live().filter(({ link }) => link !== first);
    await Promise.all(
      others.map(async ({ worker, link }) => {
        const faults = await link.ask('reload', order, reloadPatience).then(
          (other) => other.faults,
          (error: Error) => [error.message],
        );
        if (faults.length === 0) return;
        // All have the same configuration, whatever it takes.
        this.log.error('worker cannot follow the others and is replaced', { worker, faults });
        link.kill();
      }),
    );
    return report;
  }

  startDraining(): void {
    if (this.#state === 'DRAINING') return;
    this.#state = 'DRAINING';
    this.log.info('told to drain');
    void this.#askAll('startDraining', {});
  }

  quit(): void {
    this.#quitting = true;
    void this.drain();
  }

  /** Drains all workers at the same time. @returns 0 when all finished by themselves, 1 when some were cut */
  drain(): Promise<number> {
    this.#stopping ??= this.#drain();
    return this.#stopping;
  }

  async #drain(): Promise<number> {
    for (const place of this.#places) place.replaceNoMore();
    this.#state = 'DRAINING';
    this.#watch.stop();
    const links = this.#places.flatMap(({ link, live }) => (live && link !== undefined ? [link] : []));
    for (const { link, live } of this.#places) if (!live) link?.kill();
    const codes = await Promise.all(links.map((link) => link.ask('drain', {}).catch(() => 1)));
    await Promise.all(links.map(({ exited }) => exited));
    await this.#release();
    await this.log.flush();
    const code = this.#quitting || codes.every((one) => one === 0) ? 0 : 1;
    this.#stop(code);
    return code;
  }

  /** Stops now. */
  async stop(): Promise<void> {
    for (const place of this.#places) place.replaceNoMore();
    this.#state = 'DRAINING';
    this.#watch.stop();
    await Promise.all(
      this.#places.map(async ({ link, live }) => {
        if (link === undefined) return;
        if (live) await link.ask('stop', {}, stopPatience).catch(() => {});
        else link.kill();
        const hang = setTimeout(() => link.kill(), stopPatience);
        await link.exited;
        clearTimeout(hang);
      }),
    );
    await this.#release();
  }

  async #release(): Promise<void> {
    this.#sockets.closeAll();
    await this.#admin.close();
    this.#stopMetrics();
  }

  #info(): ServerInfo {
    return {
      version: packageJson.version,
      node_version: process.versions.node,
      pid: process.pid,
      uptime_seconds: (performance.now() - this.#started) / 1000,
      state: this.state,
      config_file: this.#loaded.file,
      config_hash: this.#loaded.hash,
      config_loaded_at: this.#loadedAt.toISOString(),
      last_reload: this.#lastReload,
      workers: this.#places.length,
      arguments: process.argv.slice(2),
    };
  }
}

function sourceOf({ text, hash }: LoadedConfig): { text: string; hash: string } {
  return { text, hash };
}
