/** A running Portico: start, reload, drain, stop. Owns time and signals, nothing else. */
import { resolve } from 'node:path';
import packageJson from '../package.json' with { type: 'json' };
import {
  adminEndpoints,
  createAdmin,
  lifecycleEndpoints,
  proxyEndpoints,
  type Admin,
  type Lifecycle,
  type ProxyView,
  type ReloadReport,
  type ServerState,
} from './admin/index.ts';
import type { LastReload } from './admin/view.ts';
import { assemble, type Assembly, type AssembleParts } from './assemble.ts';
import { RequestSamples } from './assemble/request-samples.ts';
import { compareRoutes } from './assemble/route-differences.ts';
import { loadConfig, parseConfig, type LoadedConfig } from './config/index.ts';
import { faultsOf, refuseEmpty } from './config/refusal.ts';
import type { Clock } from './filter/define-filter.ts';
import type { Listener } from './listener/listener.ts';
import { showAddress, type Address } from './options/index.ts';
import { Overload, type OverloadSources } from './overload/index.ts';
import { createProcessLog, type ProcessLog } from './process-log.ts';
import { restartNotes, watchedFiles } from './server-reload.ts';
import { ServerWatch } from './server-watch.ts';
import { serverStats, type ServerStats } from './server-stats.ts';
import { Stats } from './stats/index.ts';
import { processMetrics } from './stats/process-metrics.ts';

export interface ServerOptions {
  readonly log?: ProcessLog;
  readonly stats?: Stats;
  readonly random?: () => number;
  /** What overload is told by, for tests that fake it. */
  readonly overload?: OverloadSources;
  readonly http1?: AssembleParts['http1'];
  readonly connect?: AssembleParts['connect'];
  /** It is one of several: whoever started it has the admin, follows the configuration, and gives out the sockets. */
  readonly worker?: Required<Pick<AssembleParts, 'openSocket' | 'peers' | 'ceilings'>>;
}

/** The text of a configuration that somebody else has read, for all who shall have the same. */
export interface ConfigSource {
  readonly text: string;
  /** SHA-256 of the file's bytes, in hexadecimal. */
  readonly hash: string;
}

/** What a reload may be told. */
export interface ReloadOptions {
  readonly dryRun?: boolean;
  /** Instead of what is in the file now. */
  readonly source?: ConfigSource;
}

type RunningParts = AssembleParts & { readonly overload: Overload };

/** Milliseconds. */
const lastWordsTime = 200;

const systemClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };

export class Server implements Lifecycle {
  readonly log: ProcessLog;
  readonly stats: Stats;
  /** Resolves with the exit code when it has drained, whoever asked for it. */
  readonly stopped: Promise<number>;
  readonly #parts: RunningParts;
  readonly #samples: RequestSamples;
  /** What the admin shows. */
  readonly view: ProxyView;
  readonly #admin: Admin | undefined;
  readonly #worker: boolean;
  readonly #stopMetrics: () => void;
  readonly #counters: ServerStats;
  readonly #watch: ServerWatch;
  readonly #started = performance.now();
  #assembly: Assembly;
  #state: ServerState = 'INITIALIZING';
  #loadedAt = new Date();
  #lastReload: LastReload | undefined;
  #reloading: Promise<unknown> = Promise.resolve();
  /** Listeners that a reload has closed, until their exchanges are over. */
  readonly #leaving = new Set<Listener>();
  #stopping: Promise<number> | undefined;
  #stop!: (code: number) => void;
  #quitting = false;

  private constructor(assembly: Assembly, parts: RunningParts, samples: RequestSamples, worker: boolean) {
    this.#assembly = assembly;
    this.#parts = parts;
    this.#samples = samples;
    this.#worker = worker;
    this.log = parts.log;
    this.stats = parts.stats;
    this.stopped = new Promise((resolve) => (this.#stop = resolve));
    this.#stopMetrics = processMetrics(parts.stats, { version: packageJson.version });
    this.#counters = serverStats(parts.stats, {
      hash: () => this.#loaded.hash,
      listeners: () => this.listeners.map((listener) => listener.show()),
    });
    this.#watch = new ServerWatch({
      options: this.#reloadConfig(this.#loaded),
      configChanged: (files) => void this.reload(`changed: ${files.join(', ')}`),
      certificatesChanged: (files) => void this.#reloadCertificates(files),
      certificateFiles: () => this.listeners.flatMap((listener) => listener.certificateFiles()),
    });
    this.view = {
      state: () => this.#state,
      clusters: () => this.#assembly.routing.clusters.map((cluster) => cluster.show()),
      listeners: () => this.listeners.map((listener) => listener.show()),
      configDump: () => this.#loaded.dump(),
      serverInfo: () => this.#info(),
      stats: parts.stats,
      log: parts.log,
    };
    const endpoints = adminEndpoints([...proxyEndpoints, ...lifecycleEndpoints(this)]);
    this.#admin = worker ? undefined : createAdmin(this.#loaded.config.admin, { view: this.view, endpoints });
  }

  /**
   * Makes and starts what a configuration asks for; resolves when every listener listens.
   * @throws ConfigError for what is wrong with the configuration, Error of one line for an address that cannot be listened on
   */
  static async start(loaded: LoadedConfig, options: ServerOptions = {}): Promise<Server> {
    const samples = new RequestSamples(loaded.config.reload.sample_requests);
    const log = options.log ?? createProcessLog({ ...loaded.config.log, colour: process.stderr.isTTY });
    const stats = options.stats ?? new Stats();
    const parts: RunningParts = {
      log,
      stats,
      clock: systemClock,
      overload: new Overload(loaded.config.overload, { stats, log, clock: systemClock, ...options.overload }),
      random: options.random ?? Math.random,
      samples,
      ...(options.http1 === undefined ? {} : { http1: options.http1 }),
      ...(options.connect === undefined ? {} : { connect: options.connect }),
      ...options.worker,
    };
    const assembly = await assemble(loaded, parts);
    const server = new Server(assembly, parts, samples, options.worker !== undefined);
    try {
      await server.#admin?.listen();
      await assembly.routing.start();
      await Promise.all(assembly.listeners.map((listener) => listener.listen()));
    } catch (error) {
      await server.#release();
      throw error;
    }
    await server.#watch.start(watchedFiles(loaded));
    parts.overload.start();
    server.#state = 'LIVE';
    return server;
  }

  get state(): ServerState {
    return this.#state;
  }

  get listeners(): readonly Listener[] {
    return this.#assembly.listeners;
  }

  /** @throws Error for a worker, which has none */
  adminAddress(): Address {
    if (this.#admin === undefined) throw new Error('a worker has no admin');
    return this.#admin.address();
  }

  /** Names and addresses of the listeners, for people. */
  listening(): readonly string[] {
    return this.listeners.map((listener) => `${listener.name} ${showAddress(listener.address())}`);
  }

  get #loaded(): LoadedConfig {
    return this.#assembly.loaded;
  }

  #reloadConfig({ config }: LoadedConfig): LoadedConfig['config']['reload'] {
    return this.#worker ? { ...config.reload, watch: false } : config.reload;
  }

  /**
   * Reads the configuration file again and applies it as a whole. What is wrong with it leaves everything as it is. One
   * reload after the other, in the order of the calls. Never rejects.
   */
  reload(reason: string, { dryRun = false, source }: ReloadOptions = {}): Promise<ReloadReport> {
    const reloaded = this.#reloading.then(() => this.#reload(reason, dryRun, source));
    this.#reloading = reloaded;
    return reloaded;
  }

  async #reload(reason: string, dryRun: boolean, source: ConfigSource | undefined): Promise<ReloadReport> {
    const before = this.#assembly;
    const files = new Map<string, string | undefined>();
    let loaded: LoadedConfig | undefined;
    try {
      if (this.#state !== 'LIVE') throw new Error('portico is draining: it takes no new configuration');
      const { file } = before.loaded;
      loaded = await (source === undefined
        ? loadConfig(file, { files })
        : parseConfig(source.text, file, { files, hash: source.hash }));
      if (!before.loaded.empty) refuseEmpty(loaded);
      const next = await assemble(loaded, this.#parts, before);
      const changes = this.#changes(next);
      const notes = restartNotes(before.loaded, loaded);
      const report = { config_file: resolve(loaded.file), config_hash: loaded.hash, faults: [], notes, changes };
      if (dryRun) {
        await next.discard();
        return { ...report, result: 'good', config_hash: before.loaded.hash };
      }
      await this.#open(next);
      await this.#apply(next, before);
      this.#watch.now(watchedFiles(loaded), this.#reloadConfig(loaded));
      this.#lastReload = { at: new Date().toISOString(), reason, result: 'applied', faults: [] };
      this.#counters.reloaded();
      this.log.info('configuration reloaded', { reason, hash: loaded.hash, ...changes });
      for (const note of notes) this.log.warn(note);
      return { ...report, result: 'applied' };
    } catch (error) {
      const faults = faultsOf(error, loaded);
      if (!dryRun) {
        this.#watch.alsoWatch(files);
        this.#lastReload = { at: new Date().toISOString(), reason, result: 'refused', faults };
        this.#counters.reloadFailed();
        this.log.error('configuration not reloaded; the running one stays', { reason, faults });
      }
      const { file, hash } = before.loaded;
      return { result: 'refused', config_file: resolve(file), config_hash: hash, faults, notes: [] };
    }
  }

  /** What can still fail, before anything has changed for anybody. */
  async #open(next: Assembly): Promise<void> {
    try {
      await next.routing.start();
      for (const listener of next.steps.open) await listener.listen();
      if (this.#state !== 'LIVE') throw new Error('portico is draining: it takes no new configuration');
    } catch (error) {
      await next.discard();
      throw error;
    }
  }

  /** Nothing in here waits before all is as the new configuration wants it, so no exchange sees a mixture. */
  async #apply(next: Assembly, before: Assembly): Promise<void> {
    next.activate();
    for (const { from, to } of next.steps.replace) to.takeOver(from);
    this.#assembly = next;
    this.#loadedAt = new Date();
    this.#parts.overload.configure(next.loaded.config.overload);
    const { level } = next.loaded.config.log;
    if (level !== before.loaded.config.log.level) this.log.level = level;
    const leaving = [...next.steps.close, ...next.steps.replace.map(({ from }) => from)];
    for (const listener of leaving) void this.#leave(listener);
    void before.routing.generation.empty().then(() => before.routing.close());
    const kept = new Set(next.listeners.filter((listener) => before.listeners.includes(listener)));
    await this.#reloadCertificates(undefined, kept);
  }

  /** Its connections end politely, and in the time that a drain has. */
  async #leave(listener: Listener): Promise<void> {
    this.#leaving.add(listener);
    const { forced } = await listener.close(this.#loaded.config.drain.drain_time);
    this.#leaving.delete(listener);
    if (forced > 0) this.log.warn('cut exchanges of a former listener', { listener: listener.name, exchanges: forced });
  }

  #changes(next: Assembly): NonNullable<ReloadReport['changes']> {
    const name = (listener: Listener) => listener.name;
    const compared = compareRoutes(
      this.#samples.all,
      { table: this.#assembly.routing.table, loaded: this.#loaded },
      { table: next.routing.table, loaded: next.loaded },
    );
    return {
      listeners_opened: next.steps.open.map(name),
      listeners_replaced: next.steps.replace.map(({ to }) => name(to)),
      listeners_closed: next.steps.close.map(name),
      ...next.routing.counts,
      sampled_requests: compared.sampled,
      route_differences: compared.differences,
      not_sampled: compared.unknown,
    };
  }

  /** @param files that have changed; undefined for all */
  async #reloadCertificates(files?: readonly string[], listeners: Iterable<Listener> = this.listeners): Promise<void> {
    for (const listener of listeners) {
      const own = listener.certificateFiles();
      if (own.length === 0 || (files !== undefined && !files.some((file) => own.includes(file)))) continue;
      try {
        const changed = await listener.reloadCertificates();
        if (!changed) continue;
        this.#counters.certificatesReloaded(listener.name);
        this.log.info('certificates reloaded', { listener: listener.name });
      } catch (error) {
        this.#counters.certificatesFailed(listener.name);
        const faults = faultsOf(error, this.#loaded);
        this.log.error('certificates not reloaded; the old ones stay', { listener: listener.name, faults });
      }
    }
  }

  startDraining(): void {
    if (this.#state === 'DRAINING') return;
    this.#state = 'DRAINING';
    this.log.info('told to drain');
    for (const listener of this.listeners) listener.drain();
  }

  quit(): void {
    this.#quitting = true;
    void this.drain();
  }

  /**
   * Stops without losing what was accepted: readiness fails, listeners go on accepting for `pre_drain_delay`, then
   * connections are closed politely and exchanges have `drain_time` to finish.
   * @returns 0 when all finished by themselves, 1 when some were cut
   */
  drain(): Promise<number> {
    this.#stopping ??= this.#drain();
    return this.#stopping;
  }

  async #drain(): Promise<number> {
    const { pre_drain_delay: delay, drain_time: time } = this.#loaded.config.drain;
    this.#state = 'DRAINING';
    this.#watch.stop();
    this.log.info('draining', { pre_drain_delay_ms: delay, drain_time_ms: time });
    for (const listener of this.listeners) listener.drain();
    await pause(delay);
    const all = [...this.listeners, ...this.#leaving];
    const closed = await Promise.all(all.map((listener) => listener.close(time)));
    const forced = closed.reduce((sum, { forced: count }) => sum + count, 0);
    if (forced > 0) this.log.warn('cut connections that did not finish in time', { connections: forced });
    await this.#release();
    this.log.info('stopped');
    await this.log.flush();
    const code = forced === 0 || this.#quitting ? 0 : 1;
    this.#stop(code);
    return code;
  }

  /** Stops now. For tests, and for people who press Ctrl-C twice. */
  async stop(): Promise<void> {
    this.#state = 'DRAINING';
    await this.#release();
  }

  async #release(): Promise<void> {
    this.#watch.stop();
    await Promise.all([...this.listeners, ...this.#leaving].map((listener) => listener.close(0)));
    await this.#lastWords();
    await this.#assembly.routing.close();
    await this.#admin?.close();
    this.#parts.overload.stop();
    this.#stopMetrics();
  }

  /** Exchanges that were just cut have yet to be logged, by filters that are closed next. */
  async #lastWords(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => (timer = setTimeout(resolve, lastWordsTime)));
    await Promise.race([this.#assembly.routing.generation.empty(), enough]);
    clearTimeout(timer);
  }

  #info() {
    return {
      version: packageJson.version,
      node_version: process.versions.node,
      pid: process.pid,
      uptime_seconds: (performance.now() - this.#started) / 1000,
      state: this.#state,
      config_file: this.#loaded.file,
      config_hash: this.#loaded.hash,
      config_loaded_at: this.#loadedAt.toISOString(),
      last_reload: this.#lastReload,
      overload: this.#parts.overload.show(),
      arguments: process.argv.slice(2),
    };
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
