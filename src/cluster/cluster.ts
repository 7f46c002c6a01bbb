import type { Socket } from 'node:net';
import { UpstreamError, type Upgrade } from '../http/index.ts';
import type { Stats } from '../stats/index.ts';
import type { Attempt, UpstreamCluster, UpstreamResponse } from './attempt.ts';
import {
  createCircuitBreakers,
  overflow,
  type Ceiling,
  type CircuitBreakers,
  type Permit,
} from './circuit-breakers.ts';
import { createClusterStats, type ClusterStats } from './cluster-stats.ts';
import type { ClusterConfig, OutlierDetectionConfig } from './config.ts';
import { ConnectionPool } from './connection-pool.ts';
import { Discovery, systemResolve, type Resolve } from './discovery.ts';
import { Endpoint, type Found } from './endpoint.ts';
import { ErrorRateBreaker, type BreakerState, type ReportOutcome } from './error-rate-breaker.ts';
import { loadBalancers, type LoadBalancer } from './load-balancer/index.ts';
import { afterInterval, afterResult } from './outlier-detection.ts';
import { tryOnce, type TryObserver } from './try.ts';
import { openTunnel } from './tunnel.ts';
import { Http1Connection, type Http1ConnectionOptions } from './http1-connection.ts';
import type { UpstreamConnection } from './upstream-connection.ts';
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
  /** Default: ask the system. */
  readonly resolve?: Resolve;
  /** Speaks HTTP on an open socket. Default: Portico's own HTTP/1.1; tests compare it with others. */
  readonly connection?: (socket: Socket, options: Http1ConnectionOptions) => UpstreamConnection;
}

/** What GET /clusters shows. Plain data. */
export interface ClusterView {
  readonly name: string;
  readonly lb_policy: string;
  readonly endpoints: readonly {
    readonly address: string;
    readonly weight: number;
    readonly health: 'healthy' | 'ejected';
    readonly active_requests: number;
    readonly connections: number;
  }[];
  readonly error_rate_breaker: BreakerState | 'off';
  readonly circuit_breakers: Readonly<Record<Ceiling, { readonly used: number; readonly most: number }>>;
  readonly idle_connections: number;
}

/** @throws ConfigError with paths below the cluster, when a file of its `tls` cannot be used */
export function createCluster(config: ClusterConfig, deps: ClusterDeps): Cluster {
  return new Cluster(config, deps);
}

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
  #endpoints: readonly Endpoint[] = [];
  #balancer: LoadBalancer<Endpoint>;
  #sweep: NodeJS.Timeout | undefined;

  constructor(config: ClusterConfig, deps: ClusterDeps) {
    this.name = config.name;
    this.#config = config;
    this.#deps = deps;
    this.#now = () => deps.clock.monotonic();
    const stats = (this.#stats = createClusterStats(deps.stats, config.name));
    this.#breakers = createCircuitBreakers(config.circuit_breakers, (ceiling, by) => {
      if (ceiling === 'max_connections') stats.connections.add(by);
      else if (ceiling === 'max_pending_requests') stats.pending.add(by);
      else if (ceiling === 'max_requests') stats.active.add(by);
    });
    if (config.error_rate_breaker !== undefined) {
      this.#errorRate = new ErrorRateBreaker(config.name, config.error_rate_breaker, (state) => {
        stats.breakerState(state);
        deps.log.warn(`the error-rate breaker is ${state.replace('_', ' ')}`, { cluster: config.name });
      });
    }
    const connection = deps.connection ?? ((socket, options) => new Http1Connection(socket, options));
    this.#pool = new ConnectionPool({
      connectTimeout: config.connect_timeout,
      tls: config.tls && loadUpstreamTls(config.tls, deps.resolvePath ?? ((path) => path)),
      breakers: this.#breakers,
      connection: (socket) =>
        connection(socket, { idleTimeout: config.idle_timeout, maxResponseHeaders: config.max_response_headers }),
      onConnect: (error) => (error === undefined ? stats.connectionsTotal : stats.connectFailures).add(),
      onWait: () => stats.overflow.max_connections.add(),
    });
    this.#balancer = loadBalancers[config.lb_policy]([], deps.random);
    this.#discovery = new Discovery({
      endpoints: config.endpoints,
      dns: config.dns,
      resolve: deps.resolve ?? systemResolve,
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
    await Promise.race([this.#discovery.start(), enough]);
    clearTimeout(timer);
  }

  /** Stops what runs by itself. Idle connections are closed now, busy ones when they are done. */
  close(): void {
    this.#discovery.stop();
    clearInterval(this.#sweep);
    this.#errorRate?.close();
    this.#pool.close();
  }

  send(attempt: Attempt): Promise<UpstreamResponse> {
    return this.#admit(attempt, (endpoint, observer) =>
      tryOnce(
        attempt,
        endpoint,
        { pool: this.#pool, maxRequestsPerConnection: this.#config.max_requests_per_connection, now: this.#now },
        observer,
      ),
    );
  }

  tunnel(attempt: Attempt, upgrade: Upgrade): Promise<UpstreamResponse> {
    return this.#admit(attempt, (endpoint, observer) =>
      openTunnel(
        attempt,
        upgrade,
        endpoint,
        { pool: this.#pool, maxResponseHeaders: this.#config.max_response_headers, now: this.#now },
        observer,
      ),
    );
  }

  show(): ClusterView {
    const { max_connections, max_pending_requests, max_requests, max_retries } = this.#breakers;
    const ceiling = ({ used, most }: { used: number; most: number }) => ({ used, most });
    return {
      name: this.name,
      lb_policy: this.#config.lb_policy,
      endpoints: this.#endpoints.map((endpoint) => ({
        address: endpoint.address,
        weight: endpoint.weight,
        health: endpoint.ejected ? 'ejected' : 'healthy',
        active_requests: endpoint.active,
        connections: endpoint.connections,
      })),
      error_rate_breaker: this.#errorRate?.state ?? 'off',
      circuit_breakers: {
        max_connections: ceiling(max_connections),
        max_pending_requests: ceiling(max_pending_requests),
        max_requests: ceiling(max_requests),
        max_retries: ceiling(max_retries),
      },
      idle_connections: this.#pool.idle,
    };
  }

  /** Breaker → ceilings → endpoint → the try itself. What was taken is given back when the try is over. */
  #admit(
    attempt: Attempt,
    run: (endpoint: Endpoint, observer: TryObserver) => Promise<UpstreamResponse>,
  ): Promise<UpstreamResponse> {
    let report: ReportOutcome = () => {};
    let retry: Permit | undefined;
    let request: Permit | undefined;
    let endpoint: Endpoint;
    try {
      report = this.#errorRate?.enter() ?? report;
      if (attempt.isRetry) retry = this.#take('max_retries');
      request = this.#take('max_requests');
      endpoint = this.#pick(attempt);
    } catch (cause) {
      const error = cause as UpstreamError;
      retry?.release();
      request?.release();
      this.#countFailure(error, report);
      return Promise.reject(error);
    }
    endpoint.active++;
    attempt.onEndpoint(endpoint.address);
    return run(endpoint, this.#observer(endpoint, report, retry, request));
  }

  #observer(endpoint: Endpoint, report: ReportOutcome, retry: Permit | undefined, request: Permit): TryObserver {
    const started = this.#now();
    return {
      answered: (status) => {
        retry?.release();
        this.#stats.request(status);
        report(status >= 500 ? 'failure' : 'success');
        this.#note(endpoint, status >= 500);
      },
      failed: (error) => {
        if (this.#countFailure(error, report)) this.#note(endpoint, true);
      },
      broke: (error) => {
        if (error.flag === 'DC') return;
        this.#countCause(error);
        this.#errorRate?.brokeLater();
        this.#note(endpoint, true);
      },
      over: () => {
        endpoint.active--;
        retry?.release();
        request.release();
        this.#stats.duration.observe((this.#now() - started) / 1000);
      },
    };
  }

  #take(ceiling: Ceiling): Permit {
    const permit = this.#breakers[ceiling].take();
    if (permit === undefined) throw overflow(ceiling);
    return permit;
  }

  /** Counts a try without response. Answers whether that speaks against the endpoint: overflow and leaving clients do not. */
  #countFailure(error: UpstreamError, report: ReportOutcome): boolean {
    this.#stats.requestFailed();
    this.#countCause(error);
    const blameless = error.flag === 'UO' || error.flag === 'DC';
    report(blameless ? 'abandoned' : 'failure');
    return !blameless;
  }

  #countCause({ flag, details }: UpstreamError): void {
    if (flag === 'UC') this.#stats.resets.add();
    else if (flag === 'UT') this.#stats.timeouts.add();
    else if (details === 'upstream_circuit_open') this.#stats.overflow.circuit_open.add();
    else if (flag === 'UO') {
      const ceiling = /\{(\w+)\}/.exec(details)?.[1] as Ceiling | undefined;
      if (ceiling !== undefined && ceiling !== 'max_connections') this.#stats.overflow[ceiling].add();
    }
  }

  /** Those that have not failed in this exchange and are not ejected; else those not ejected; else any: better than none. */
  #pick({ avoid, hash }: Attempt): Endpoint {
    const endpoint =
      this.#balancer.pick({ hash, usable: (candidate) => !candidate.ejected && !avoid.has(candidate.address) }) ??
      this.#balancer.pick({ hash, usable: (candidate) => !candidate.ejected }) ??
      this.#balancer.pick({ hash, usable: () => true });
    if (endpoint !== undefined) return endpoint;
    if (this.#discovery.incomplete) throw new UpstreamError(503, 'DF', 'dns_resolution_failure', { untouched: true });
    throw new UpstreamError(503, 'UH', 'no_healthy_upstream', { untouched: true });
  }

  /** Tells outlier detection of a result. */
  #note(endpoint: Endpoint, failed: boolean): void {
    const config = this.#config.outlier_detection;
    if (config === undefined || (!failed && endpoint.outlier.consecutive === 0)) return;
    const wasEjected = endpoint.ejected;
    endpoint.outlier = afterResult(endpoint.outlier, failed, this.#now(), this.#ejections(), config);
    if (endpoint.ejected && !wasEjected) this.#tellEjection(endpoint, config);
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
        this.#deps.log.info(`${endpoint.address} is back`, { cluster: this.name, endpoint: endpoint.address });
      }
    }
  }

  /** Endpoints that stay keep what is known of them, and their connections. */
  #replaceEndpoints(found: readonly Found[]): void {
    const before = new Map(this.#endpoints.map((endpoint) => [endpoint.address, endpoint]));
    this.#endpoints = found.map((one) => {
      const known = before.get(one.address);
      if (known === undefined || JSON.stringify(known.target) !== JSON.stringify(one.target)) return new Endpoint(one);
      before.delete(one.address);
      return known;
    });
    for (const gone of before.values()) {
      gone.gone = true;
      this.#pool.purge(gone);
    }
    this.#balancer = loadBalancers[this.#config.lb_policy](this.#endpoints, this.#deps.random);
  }
}
