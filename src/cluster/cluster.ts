import type { Socket } from 'node:net';
import { UpstreamError, type Upgrade } from '../http/index.ts';
import type { Stats } from '../stats/index.ts';
import type { Attempt, Outcome, UpstreamCluster } from './attempt.ts';
import type { CeilingShares } from './ceiling-share.ts';
import { createCircuitBreakers, type Allowance, type Ceiling, type CircuitBreakers } from './circuit-breakers.ts';
import { createClusterStats, type ClusterStats } from './cluster-stats.ts';
import type { ClusterConfig, OutlierDetectionConfig } from './config.ts';
import { ConnectionPool } from './connection-pool.ts';
import { Discovery, type Resolve } from './discovery.ts';
import { resolveWith, systemResolve } from './dns-resolve.ts';
import { localResolve } from './local-resolve.ts';
import { Endpoint, type Found } from './endpoint.ts';
import { ErrorRateBreaker, type BreakerReason, type BreakerState } from './error-rate-breaker.ts';
import { HealthChecker } from './health-checker.ts';
import type { ProbeResult } from './health-probe/probe.ts';
import { afterCheck } from './health-state.ts';
import { HoldQueue } from './hold-queue.ts';
import { IdleLimit } from './idle-limit.ts';
import type { RetryBudget } from './retry-budget.ts';
import { slowStartFactor } from './slow-start.ts';
import { loadBalancers, type LoadBalancer } from './load-balancer/index.ts';
import { afterInterval, afterResult } from './outlier-detection.ts';
import { Sending, type Run, type SendingHost } from './sending.ts';
import { tryOnce, type TryOptions } from './try.ts';
import { Http1Connection, type Http1ConnectionOptions } from './http1-connection.ts';
import type { UpstreamConnection } from './upstream-connection.ts';
import { isRefusal, type SocketTls } from './upstream-socket.ts';
import { loadUpstreamTls } from './upstream-tls.ts';

export interface ClusterLog {
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
}

export interface ClusterDeps {
  readonly stats: Stats;
  readonly clock: { /** Milliseconds, never jumping. */ monotonic(): number };
  /** From 0 up to but not including 1. */
  readonly random: () => number;
  readonly log: ClusterLog;
  /** Makes a relative path of the configuration absolute. Default: as it stands. */
  readonly resolvePath?: (path: string) => string;
  /** Where ceilings are shared with other processes; left out, there are none. */
  readonly ceilings?: CeilingShares | undefined;
  /** Connections that the process can afford, whatever `max_connections` says; left out, as many as it says. */
  readonly affordable?: number | undefined;
  /** Default: ask the system. */
  readonly resolve?: Resolve;
  /** Speaks HTTP on an open socket. Default: Portico's own HTTP/1.1; tests compare it with others. */
  readonly connection?: (socket: Socket, options: Http1ConnectionOptions) => UpstreamConnection;
}

/** A ceiling and what is taken of it here; `shared` when `most` is that of several processes together. */
interface CeilingView {
  readonly used: number;
  readonly most: number;
  readonly shared?: boolean;
}

/** What GET /clusters shows. Plain data. */
export interface ClusterView {
  readonly name: string;
  readonly lb_policy: string;
  readonly endpoints: readonly {
    readonly address: string;
    readonly weight: number;
    readonly health: 'healthy' | 'ejected' | 'unhealthy' | 'pending';
    readonly active_requests: number;
    readonly connections: number;
  }[];
  readonly error_rate_breaker: BreakerState | 'off';
  /** Why the breaker is in its state, and how often that has changed. */
  readonly error_rate_breaker_history:
    { readonly reason: BreakerReason | undefined; readonly transitions: number } | undefined;
  /** Health is ignored because too few endpoints are healthy. */
  readonly panic: boolean;
  readonly hold: { readonly state: 'open' | 'holding' | 'releasing' | 'off'; readonly waiting: number };
  readonly circuit_breakers: Readonly<Record<Ceiling, CeilingView>>;
  readonly idle_connections: number;
}

/** @throws ConfigError with paths below the cluster, when a file of its `tls` cannot be used */
export function createCluster(config: ClusterConfig, deps: ClusterDeps): Cluster {
  return new Cluster(config, deps);
}

function resolveAs({ resolvers, refresh_rate }: ClusterConfig['dns']): Resolve {
  if (resolvers !== undefined && resolvers !== 'system') return resolveWith(resolvers);
  // Elsewhere resolv.conf is not all there is to know.
  return resolvers === 'system' || process.platform !== 'linux'
    ? systemResolve
    : localResolve({ refreshRate: refresh_rate });
}

const isHealthy = ({ healthy }: Endpoint): boolean => healthy;
const anyHealthy = { hash: undefined, usable: isHealthy };

/** Endpoints that serve the same thing, and everything that stands between a request and one of them. */
export class Cluster implements UpstreamCluster {
  readonly name: string;
  readonly #config: ClusterConfig;
  readonly #deps: ClusterDeps;
  readonly #stats: ClusterStats;
  readonly #breakers: CircuitBreakers;
  readonly #errorRate: ErrorRateBreaker | undefined;
  readonly #pool: ConnectionPool;
  readonly #discovery: Discovery;
  readonly #now: () => number;
  readonly #hold: HoldQueue | undefined;
  readonly #checkers = new Map<Endpoint, HealthChecker>();
  readonly #tls: SocketTls | undefined;
  readonly #connection: (socket: Socket) => UpstreamConnection;
  readonly #tryOptions: TryOptions;
  /** What the sendings of this cluster share. */
  readonly #sendings: SendingHost;
  #panic = false;
  #started = false;
  #endpoints: readonly Endpoint[] = [];
  #balancer: LoadBalancer<Endpoint>;
  #sweep: NodeJS.Timeout | undefined;

  constructor(config: ClusterConfig, deps: ClusterDeps) {
    this.name = config.name;
    this.#config = config;
    this.#deps = deps;
    this.#now = () => deps.clock.monotonic();
    const stats = (this.#stats = createClusterStats(deps.stats, config.name));
    const { max_connections: wanted } = config.circuit_breakers;
    const affordable = Math.min(wanted, deps.affordable ?? Infinity);
    if (affordable < wanted)
      deps.log.info(`max_connections is ${affordable}, not ${wanted}: the process may not open files for more`);
    this.#breakers = createCircuitBreakers(
      { ...config.circuit_breakers, max_connections: affordable },
      {
        changed: (ceiling, by) => {
          if (ceiling === 'max_connections') stats.connections.add(by);
          else if (ceiling === 'max_pending_requests') stats.pending.add(by);
          else if (ceiling === 'max_requests') stats.active.add(by);
        },
        now: this.#now,
        ...(deps.ceilings === undefined ? {} : { shared: { cluster: config.name, ceilings: deps.ceilings } }),
      },
    );
    for (const [ceiling, { most }] of Object.entries(this.#breakers) as [Ceiling, CeilingView][]) {
      if (ceiling !== 'max_retries' || config.circuit_breakers.max_retries !== undefined) stats.ceiling(ceiling, most);
    }
    if (config.error_rate_breaker !== undefined) {
      this.#errorRate = new ErrorRateBreaker(config.name, config.error_rate_breaker, (state, reason) => {
        stats.breakerState(state, reason);
        deps.log.warn(`the error-rate breaker is ${state.replace('_', ' ')}`, { cluster: config.name, reason });
      });
    }
    const idleLimit = new IdleLimit(config.idle_timeout, (appCloses, limit) => stats.idle(appCloses, limit));
    const connection = deps.connection ?? ((socket, options) => new Http1Connection(socket, options));
    const connectionOptions = {
      idleTimeout: config.idle_timeout,
      maxResponseHeaders: config.max_response_headers,
      announced: (milliseconds: number) => idleLimit.announced(milliseconds, this.#now()),
    };
    this.#connection = (socket) => connection(socket, connectionOptions);
    this.#tls = config.tls && loadUpstreamTls(config.tls, deps.resolvePath ?? ((path) => path));
    this.#pool = new ConnectionPool({
      connectTimeout: config.connect_timeout,
      tls: this.#tls,
      breakers: this.#breakers,
      connection: this.#connection,
      onConnect: (endpoint, error) => {
        (error === undefined ? stats.connectionsTotal : stats.connectFailures).add();
        this.#heardOf(endpoint, error);
        if (error !== undefined && isRefusal(error)) idleLimit.appGone(this.#now());
      },
      onWait: () => stats.overflow.max_connections.add(),
      idleLimit,
      now: this.#now,
    });
    this.#tryOptions = {
      pool: this.#pool,
      maxRequestsPerConnection: config.max_requests_per_connection,
      now: this.#now,
    };
    if (config.hold.max_requests > 0) this.#hold = this.#createHold();
    this.#sendings = {
      breakers: this.#breakers,
      stats,
      errorRate: this.#errorRate,
      hold: this.#hold,
      pool: this.#pool,
      now: this.#now,
      pick: (attempt) => this.#pick(attempt),
      note: (endpoint, failed) => this.#note(endpoint, failed),
      gone: () => this.#endpoints.every(({ refusing }) => refusing) && this.#endpoints.some(({ seen }) => seen),
    };
    this.#balancer = loadBalancers[config.lb_policy]([], deps.random);
    this.#discovery = new Discovery({
      endpoints: config.endpoints,
      dns: config.dns,
      resolve: deps.resolve ?? resolveAs(config.dns),
      onChange: (found) => this.#replaceEndpoints(found),
      onHealth: (host, error) => {
        if (error === undefined) deps.log.info(`${host} can be resolved again`, { cluster: config.name });
        else deps.log.warn(`${host} cannot be resolved: ${error.message}`, { cluster: config.name });
      },
    });
  }

  /** Begins to resolve names. Resolves when they have been asked for once, or after `connect_timeout`; never rejects. */
  async start(): Promise<void> {
    const { outlier_detection: outliers, connect_timeout } = this.#config;
    if (outliers !== undefined) {
      this.#sweep = setInterval(() => this.#endInterval(), outliers.interval);
      this.#sweep.unref();
    }
    let timer: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => (timer = setTimeout(resolve, connect_timeout)));
    const joined = Object.values(this.#breakers).map((ceiling: Allowance | RetryBudget) => ceiling.join());
    const known = Promise.all([this.#discovery.start(), ...joined]).then(() => {
      this.#started = true;
      return this.#checkHealth();
    });
    await Promise.race([known, enough]);
    clearTimeout(timer);
  }

  /** Stops what runs by itself. Idle connections are closed now, busy ones when they are done. */
  close(): void {
    this.#discovery.stop();
    clearInterval(this.#sweep);
    this.#started = false;
    for (const checker of this.#checkers.values()) checker.stop();
    this.#checkers.clear();
    this.#errorRate?.close();
    this.#pool.close();
    for (const ceiling of Object.values(this.#breakers) as (Allowance | RetryBudget)[]) ceiling.close();
  }

  send(attempt: Attempt, done: Outcome): void {
    new Sending(this.#sendings, attempt, this.#sendOnce, done, true).begin();
  }

  tunnel(attempt: Attempt, upgrade: Upgrade, done: Outcome): void {
    const { max_response_headers: maxResponseHeaders } = this.#config;
    const options = { pool: this.#pool, maxResponseHeaders, now: this.#now };
    // Loaded by the first who upgrades, in 30 ms: it brings http-proxy-3 and 13 MB, and most never need it.
    void import('./tunnel.ts').then(({ openTunnel }) => {
      const run: Run = (_, endpoint, observer, told) => openTunnel(attempt, upgrade, endpoint, options, observer, told);
      new Sending(this.#sendings, attempt, run, done, false).begin();
    });
  }

  readonly #sendOnce: Run = (attempt, endpoint, observer, done) =>
    tryOnce(attempt, endpoint, this.#tryOptions, observer, done);

  show(): ClusterView {
    const { max_connections, max_pending_requests, max_requests, max_retries } = this.#breakers;
    const ceiling = ({ used, most, shared }: CeilingView) =>
      shared === true ? { used, most, shared } : { used, most };
    return {
      name: this.name,
      lb_policy: this.#config.lb_policy,
      endpoints: this.#endpoints.map((endpoint) => ({
        address: endpoint.address,
        weight: endpoint.weight,
        health: endpoint.ejected ? 'ejected' : (endpoint.health?.health ?? 'healthy'),
        active_requests: endpoint.active,
        connections: endpoint.connections,
      })),
      error_rate_breaker: this.#errorRate?.state ?? 'off',
      error_rate_breaker_history: this.#errorRate && {
        reason: this.#errorRate.reason,
        transitions: this.#errorRate.transitions,
      },
      panic: this.#panic,
      hold: { state: this.#hold?.state ?? 'off', waiting: this.#hold?.waiting ?? 0 },
      circuit_breakers: {
        max_connections: ceiling(max_connections),
        max_pending_requests: ceiling(max_pending_requests),
        max_requests: ceiling(max_requests),
        max_retries: ceiling(max_retries),
      },
      idle_connections: this.#pool.idle,
    };
  }

  #heardOf(endpoint: Endpoint, error: UpstreamError | undefined): void {
    if (error === undefined) {
      endpoint.seen = true;
      endpoint.refusing = false;
      this.#hold?.appBack();
    } else if (isRefusal(error)) {
      endpoint.refusing = true;
    }
  }

  #createHold(): HoldQueue {
    let since = 0;
    return new HoldQueue({
      config: this.#config.hold,
      now: this.#now,
      probe: (done) => {
        let left = this.#endpoints.length;
        if (left === 0) return done();
        for (const endpoint of this.#endpoints) {
          this.#pool.acquire(endpoint, true, (_error, lease) => {
            lease?.release();
            if (--left === 0) done();
          });
        }
      },
      changed: (by, result) => {
        this.#stats.held.add(by);
        if (result !== undefined) this.#stats.heldTotal[result].add();
      },
      onState: (state, waiting) => {
        const fields = { cluster: this.name, waiting };
        if (state === 'holding') {
          since = this.#now();
          this.#deps.log.warn('the app refuses connections: requests wait for it', fields);
        } else if (state === 'releasing') {
          const milliseconds = Math.round(this.#now() - since);
          this.#deps.log.info('the app is back: requests are let go', { ...fields, milliseconds });
        }
      },
    });
  }

  /** Those that have not failed in this exchange and are healthy; else those that are healthy; in panic, any. */
  #pick({ avoid, hash }: Attempt): Endpoint {
    const endpoint = this.#panic ? this.#pickAny(avoid, hash) : this.#pickHealthy(avoid, hash);
    if (endpoint !== undefined) return endpoint;
    if (this.#discovery.incomplete) throw new UpstreamError(503, 'DF', 'dns_resolution_failure', { untouched: true });
    throw new UpstreamError(503, 'UH', 'no_healthy_upstream', { untouched: true });
  }

  #pickHealthy(avoid: ReadonlySet<string>, hash: number | undefined): Endpoint | undefined {
    const { slow_start: slow, lb_policy } = this.#config;
    if (slow !== undefined && lb_policy !== 'ring_hash') {
      const now = this.#now();
      // One that warms up lets some of its turns pass by.
      const warm = (endpoint: Endpoint): boolean => {
        const factor = slowStartFactor(now - endpoint.since, slow);
        return factor >= 1 || this.#deps.random() < factor;
      };
      const usable = (endpoint: Endpoint) => endpoint.healthy && !avoid.has(endpoint.address) && warm(endpoint);
      const picked = this.#balancer.pick({ hash, usable });
      if (picked !== undefined) return picked;
    }
    const picked =
      avoid.size === 0
        ? undefined
        : this.#balancer.pick({ hash, usable: (one) => one.healthy && !avoid.has(one.address) });
    return picked ?? this.#balancer.pick(hash === undefined ? anyHealthy : { hash, usable: isHealthy });
  }

  #pickAny(avoid: ReadonlySet<string>, hash: number | undefined): Endpoint | undefined {
    return (
      this.#balancer.pick({ hash, usable: (one) => !avoid.has(one.address) }) ??
      this.#balancer.pick({ hash, usable: () => true })
    );
  }

  /** Looks how many endpoints are healthy; whenever that may have changed. */
  #assess(): void {
    const total = this.#endpoints.length;
    const healthy = this.#endpoints.filter((endpoint) => endpoint.healthy).length;
    this.#stats.healthy.set(healthy);
    const panic = total > 0 && (healthy / total) * 100 < this.#config.healthy_panic_threshold;
    if (panic === this.#panic) return;
    this.#panic = panic;
    this.#stats.panic.set(panic ? 1 : 0);
    // Before the first checks are over nobody is healthy, and that is no news.
    if (this.#endpoints.some((endpoint) => endpoint.health?.health === 'pending')) return;
    if (panic)
      this.#deps.log.warn('too few endpoints are healthy: health is ignored', { cluster: this.name, healthy, total });
    else this.#deps.log.info('enough endpoints are healthy again', { cluster: this.name, healthy, total });
  }

  /** Begins to check endpoints that are not checked yet. Resolves when each has been checked once. */
  async #checkHealth(): Promise<void> {
    const { health_check: config } = this.#config;
    if (config === undefined || !this.#started) return;
    const first: Promise<void>[] = [];
    for (const endpoint of this.#endpoints) {
      if (this.#checkers.has(endpoint)) continue;
      const checker = new HealthChecker(
        endpoint,
        {
          config,
          host: this.name,
          tls: this.#tls,
          connection: this.#connection,
          random: this.#deps.random,
        },
        ({ result }) => this.#checked(endpoint, result),
      );
      this.#checkers.set(endpoint, checker);
      first.push(checker.start());
    }
    await Promise.all(first);
  }

  #checked(endpoint: Endpoint, result: ProbeResult): void {
    const before = endpoint.healthy;
    const was = endpoint.health!.health;
    endpoint.health = afterCheck(endpoint.health!, result, this.#config.health_check!);
    this.#stats.checked(result === 'good');
    // As in Envoy: who is seen to be well is not left out for old failures (successful_active_health_check_uneject_host).
    if (endpoint.health.health === 'healthy' && endpoint.ejected) {
      endpoint.outlier = { ...endpoint.outlier, consecutive: 0, ejectedUntil: undefined };
    }
    if (endpoint.healthy && !before && was !== 'pending') endpoint.since = this.#now();
    const now = endpoint.health.health;
    if (now !== was) {
      const fields = { cluster: this.name, endpoint: endpoint.address, result };
      if (now === 'unhealthy') this.#deps.log.warn(`${endpoint.address} is unhealthy`, fields);
      else this.#deps.log.info(`${endpoint.address} is healthy`, fields);
    }
    this.#assess();
  }

  /** Tells outlier detection of a result. */
  #note(endpoint: Endpoint, failed: boolean): void {
    const config = this.#config.outlier_detection;
    if (config === undefined || (!failed && endpoint.outlier.consecutive === 0)) return;
    const wasEjected = endpoint.ejected;
    endpoint.outlier = afterResult(endpoint.outlier, failed, this.#now(), this.#ejections(), config);
    if (!endpoint.ejected || wasEjected) return;
    this.#tellEjection(endpoint, config);
    this.#assess();
  }

  #ejections(): { total: number; ejected: number } {
    return { total: this.#endpoints.length, ejected: this.#endpoints.filter(({ ejected }) => ejected).length };
  }

  #tellEjection(
    { address, outlier }: Endpoint,
    { base_ejection_time, max_ejection_time }: OutlierDetectionConfig,
  ): void {
    this.#stats.ejections.add();
    const milliseconds = Math.min(base_ejection_time * outlier.multiplier, max_ejection_time);
    this.#deps.log.warn(`${address} is ejected`, { cluster: this.name, endpoint: address, milliseconds });
  }

  #endInterval(): void {
    const now = this.#now();
    for (const endpoint of this.#endpoints) {
      const wasEjected = endpoint.ejected;
      endpoint.outlier = afterInterval(endpoint.outlier, now);
      if (wasEjected && !endpoint.ejected) {
        endpoint.since = now;
        this.#assess();
        this.#deps.log.info(`${endpoint.address} is back`, { cluster: this.name, endpoint: endpoint.address });
      }
    }
  }

  /** Endpoints that stay keep what is known of them, and their connections. */
  #replaceEndpoints(found: readonly Found[]): void {
    const before = new Map(this.#endpoints.map((endpoint) => [endpoint.address, endpoint]));
    this.#endpoints = found.map((one) => {
      const known = before.get(one.address);
      if (known === undefined || JSON.stringify(known.target) !== JSON.stringify(one.target)) {
        // Those that were there from the beginning have nobody to be slower than.
        const since = this.#endpoints.length === 0 ? -Infinity : this.#now();
        return new Endpoint(one, { since, checked: this.#config.health_check !== undefined });
      }
      before.delete(one.address);
      return known;
    });
    for (const gone of before.values()) {
      gone.gone = true;
      this.#pool.purge(gone);
      this.#checkers.get(gone)?.stop();
      this.#checkers.delete(gone);
    }
    this.#balancer = loadBalancers[this.#config.lb_policy](this.#endpoints, this.#deps.random);
    this.#assess();
    void this.#checkHealth();
  }
}
