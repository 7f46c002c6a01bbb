/** A running Portico: start, drain, stop. Owns time and signals, nothing else. */
import packageJson from '../package.json' with { type: 'json' };
import { createAdmin, type Admin } from './admin/admin.ts';
import type { ServerState } from './admin/view.ts';
import { assemble, type Assembly, type AssembleParts } from './assemble.ts';
import type { LoadedConfig } from './config/index.ts';
import type { Clock } from './filter/define-filter.ts';
import type { Listener } from './listener/listener.ts';
import type { Address } from './options/index.ts';
import { createProcessLog, type ProcessLog } from './process-log.ts';
import { Stats } from './stats/index.ts';
import { processMetrics } from './stats/process-metrics.ts';

export interface ServerOptions {
  readonly log?: ProcessLog;
  readonly stats?: Stats;
  readonly random?: () => number;
  readonly http1?: AssembleParts['http1'];
  readonly connect?: AssembleParts['connect'];
}

const systemClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };

export class Server {
  readonly log: ProcessLog;
  readonly stats: Stats;
  readonly #loaded: LoadedConfig;
  readonly #assembly: Assembly;
  readonly #admin: Admin;
  readonly #stopMetrics: () => void;
  readonly #started = performance.now();
  #state: ServerState = 'INITIALIZING';
  #stopping: Promise<number> | undefined;

  private constructor(loaded: LoadedConfig, assembly: Assembly, parts: AssembleParts) {
    this.#loaded = loaded;
    this.#assembly = assembly;
    this.log = parts.log;
    this.stats = parts.stats;
    this.#stopMetrics = processMetrics(parts.stats, { version: packageJson.version });
    this.#admin = createAdmin(loaded.config.admin, {
      view: {
        state: () => this.#state,
        clusters: () => assembly.routing.clusters.map((cluster) => cluster.show()),
        listeners: () => assembly.listeners.map((listener) => listener.show()),
        configDump: () => loaded.dump(),
        serverInfo: () => this.#info(),
        stats: parts.stats,
        log: parts.log,
      },
    });
  }

  /**
   * Makes and starts what a configuration asks for; resolves when every listener listens.
   * @throws ConfigError for what is wrong with the configuration, Error of one line for an address that cannot be listened on
   */
  static async start(loaded: LoadedConfig, options: ServerOptions = {}): Promise<Server> {
    const parts: AssembleParts = {
      log: options.log ?? createProcessLog({ ...loaded.config.log, colour: process.stderr.isTTY }),
      stats: options.stats ?? new Stats(),
      clock: systemClock,
      random: options.random ?? Math.random,
      ...(options.http1 === undefined ? {} : { http1: options.http1 }),
      ...(options.connect === undefined ? {} : { connect: options.connect }),
    };
    const assembly = await assemble(loaded, parts);
    const server = new Server(loaded, assembly, parts);
    try {
      await server.#admin.listen();
      await assembly.routing.start();
      await Promise.all(assembly.listeners.map((listener) => listener.listen()));
    } catch (error) {
      await server.#release();
      throw error;
    }
    server.#state = 'LIVE';
    return server;
  }

  get state(): ServerState {
    return this.#state;
  }

  get listeners(): readonly Listener[] {
    return this.#assembly.listeners;
  }

  adminAddress(): Address {
    return this.#admin.address();
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
    this.log.info('draining', { pre_drain_delay_ms: delay, drain_time_ms: time });
    for (const listener of this.listeners) listener.drain();
    await pause(delay);
    const closed = await Promise.all(this.listeners.map((listener) => listener.close(time)));
    const forced = closed.reduce((sum, { forced: count }) => sum + count, 0);
    if (forced > 0) this.log.warn('cut connections that did not finish in time', { connections: forced });
    await this.#release();
    this.log.info('stopped');
    await this.log.flush();
    return forced === 0 ? 0 : 1;
  }

  /** Stops now. For tests, and for people who press Ctrl-C twice. */
  async stop(): Promise<void> {
    this.#state = 'DRAINING';
    await Promise.all(this.listeners.map((listener) => listener.close(0)));
    await this.#release();
  }

  async #release(): Promise<void> {
    await Promise.all(this.listeners.map((listener) => listener.close(0)));
    await this.#assembly.routing.close();
    await this.#admin.close();
    this.#stopMetrics();
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
      arguments: process.argv.slice(2),
    };
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
