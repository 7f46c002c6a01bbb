/** A running role: start, reload, drain, stop. Owns time and signals, nothing else. */
import { resolve } from 'node:path';
import packageJson from '../../package.json' with { type: 'json' };
import { adminEndpoints, createAdmin, type Admin, type AdminView, type ServerState } from '../admin/index.ts';
import { lifecycleEndpoints, type Lifecycle, type ReloadReport } from '../admin/lifecycle.ts';
import type { LastReload } from '../admin/view.ts';
import { configStats, type ConfigStats } from '../config/config-stats.ts';
import { FileWatch } from '../files/file-watch.ts';
import { loadRoleConfig } from '../config/load-role.ts';
import type { LoadedRoleConfig } from '../config/loaded-role-config.ts';
import { faultsOf, refuseEmpty } from '../config/refusal.ts';
import { showAddress, type Address } from '../options/index.ts';
import { createProcessLog, type ProcessLog } from '../process-log.ts';
import { Stats } from '../stats/index.ts';
import { processMetrics } from '../stats/process-metrics.ts';
import type { CommonConfig, Role, RoleParts, RunningRole } from './role.ts';

export class RoleServer<Config extends CommonConfig> implements Lifecycle {
  readonly log: ProcessLog;
  readonly stats: Stats;
  /** Resolves with the exit code when it has drained, whoever asked for it. */
  readonly stopped: Promise<number>;
  readonly #role: Role<Config>;
  readonly #started = performance.now();
  readonly #counters: ConfigStats;
  readonly #stopMetrics: () => void;
  readonly #watch: FileWatch;
  #running!: RunningRole<Config>;
  #admin!: Admin;
  #loaded: LoadedRoleConfig<Config>;
  #loadedAt = new Date();
  #lastReload: LastReload | undefined;
  /** What configurations were read from: that in force, and those that were refused since. */
  #files: ReadonlyMap<string, string | undefined>;
  #reloading: Promise<unknown> = Promise.resolve();
  #state: ServerState = 'INITIALIZING';
  #stopping: Promise<number> | undefined;
  #stop!: (code: number) => void;
  #quitting = false;

  private constructor(role: Role<Config>, loaded: LoadedRoleConfig<Config>, { log, stats }: RoleParts) {
    this.#role = role;
    this.#loaded = loaded;
    this.#files = loaded.files;
    this.log = log;
    this.stats = stats;
    this.stopped = new Promise((resolved) => (this.#stop = resolved));
    this.#stopMetrics = processMetrics(stats, { version: packageJson.version });
    this.#counters = configStats(stats, () => this.#loaded.hash);
    this.#watch = new FileWatch({
      files: () => [...this.#files.keys(), ...(this.#running.files?.() ?? [])],
      interval: loaded.config.reload.poll_interval,
      changed: (files) => void this.reload(`changed: ${files.join(', ')}`),
    });
  }

  /**
   * Makes and starts what a configuration asks for.
   * @throws ConfigError for what is wrong with the configuration, Error of one line for what else keeps it from starting
   */
  static async start<Config extends CommonConfig>(
    role: Role<Config>,
    loaded: LoadedRoleConfig<Config>,
    given: Partial<RoleParts> = {},
  ): Promise<RoleServer<Config>> {
    const parts: RoleParts = {
      log: createProcessLog({ ...loaded.config.log, colour: process.stderr.isTTY }),
      stats: new Stats(),
      clock: { now: () => Date.now(), monotonic: () => performance.now() },
      random: Math.random,
      ...given,
    };
    const server = new RoleServer(role, loaded, parts);
    server.#running = await role.start(loaded, parts);
    try {
      server.#admin = createAdmin(loaded.config.admin, {
        view: server.#view(),
        endpoints: adminEndpoints([...(server.#running.endpoints ?? []), ...lifecycleEndpoints(server)]),
      });
      await server.#admin.listen();
    } catch (error) {
      await server.#running.stop();
      server.#stopMetrics();
      throw error;
    }
    server.#watch.saw(loaded.files);
    if (loaded.config.reload.watch) await server.#watch.start();
    server.#state = 'LIVE';
    return server;
  }

  get state(): ServerState {
    return this.#state === 'LIVE' && this.#running.ready?.() === false ? 'UNREADY' : this.#state;
  }

  adminAddress(): Address {
    return this.#admin.address();
  }

  /** For the line that tells that it runs. */
  listening(): readonly string[] {
    return [`admin ${showAddress(this.adminAddress())}`];
  }

  /**
   * Reads the configuration file again and applies it as a whole. What is wrong with it leaves everything as it is. One
   * reload after the other, in the order of the calls. Never rejects.
   */
  reload(reason: string, { dryRun = false }: { dryRun?: boolean } = {}): Promise<ReloadReport> {
    const reloaded = this.#reloading.then(() => this.#reload(reason, dryRun));
    this.#reloading = reloaded;
    return reloaded;
  }

  async #reload(reason: string, dryRun: boolean): Promise<ReloadReport> {
    const before = this.#loaded;
    const files = new Map<string, string | undefined>();
    let loaded: LoadedRoleConfig<Config> | undefined;
    try {
      if (this.#state !== 'LIVE') throw new Error('portico is draining: it takes no new configuration');
      loaded = await loadRoleConfig(this.#role.schema, before.file, { files });
      if (!before.empty) refuseEmpty(loaded);
      await this.#role.check?.(loaded);
      const report = { config_file: resolve(loaded.file), faults: [] };
      if (dryRun) return { ...report, result: 'good', config_hash: before.hash, notes: [] };
      const notes = [...restartNotes(before, loaded), ...(await this.#running.reload(loaded))];
      this.#loaded = loaded;
      this.#loadedAt = new Date();
      this.#files = loaded.files;
      this.#watch.saw(loaded.files);
      this.log.level = loaded.config.log.level;
      this.#lastReload = { at: new Date().toISOString(), reason, result: 'applied', faults: [] };
      this.#counters.reloaded();
      this.log.info('configuration reloaded', { reason, hash: loaded.hash });
      for (const note of notes) this.log.warn(note);
      return { ...report, result: 'applied', config_hash: loaded.hash, notes };
    } catch (error) {
      const faults = faultsOf(error, loaded);
      if (!dryRun) {
        this.#files = new Map([...this.#files, ...files]);
        this.#watch.saw(files);
        this.#lastReload = { at: new Date().toISOString(), reason, result: 'refused', faults };
        this.#counters.reloadFailed();
        this.log.error('configuration not reloaded; the running one stays', { reason, faults });
      }
      const { file, hash } = before;
      return { result: 'refused', config_file: resolve(file), config_hash: hash, faults, notes: [] };
    }
  }

  startDraining(): void {
    this.#state = 'DRAINING';
  }

  quit(): void {
    this.#quitting = true;
    void this.drain();
  }

  /**
   * Stops without losing what there is to do.
   * @returns 0 when all was finished, 1 when something was left
   */
  drain(): Promise<number> {
    this.#stopping ??= this.#drain();
    return this.#stopping;
  }

  async #drain(): Promise<number> {
    this.#state = 'DRAINING';
    this.#watch.stop();
    this.log.info('draining');
    await this.#reloading;
    const left = await this.#running.drain();
    await this.stop();
    this.log.info('stopped');
    await this.log.flush();
    const code = this.#quitting ? 0 : left;
    this.#stop(code);
    return code;
  }

  /** Stops now. For tests, and for people who press Ctrl-C twice. */
  async stop(): Promise<void> {
    this.#state = 'DRAINING';
    this.#watch.stop();
    await this.#running.stop();
    await this.#admin.close();
    this.#stopMetrics();
  }

  #view(): AdminView {
    return {
      state: () => this.state,
      configDump: () => this.#loaded.dump(),
      serverInfo: () => ({
        version: packageJson.version,
        node_version: process.versions.node,
        pid: process.pid,
        uptime_seconds: (performance.now() - this.#started) / 1000,
        state: this.state,
        role: this.#role.name,
        config_file: this.#loaded.file,
        config_hash: this.#loaded.hash,
        config_loaded_at: this.#loadedAt.toISOString(),
        last_reload: this.#lastReload,
        arguments: process.argv.slice(2),
        ...this.#running.info?.(),
      }),
      stats: this.stats,
      log: this.log,
    };
  }
}

/** Options that only a start can apply. */
function restartNotes<Config>(before: LoadedRoleConfig<Config>, after: LoadedRoleConfig<Config>): string[] {
  const options = [['admin'], ['log', 'format'], ['reload']];
  return options
    .filter((path) => JSON.stringify(before.written(path)) !== JSON.stringify(after.written(path)))
    .map((path) => `${path.join('.')} has changed, which takes effect at the next start`);
}
