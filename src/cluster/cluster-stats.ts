import type { CounterHandle, GaugeHandle, HistogramHandle, Stats, Together } from '../stats/index.ts';
import type { HoldResult } from './hold-queue.ts';
import type { Ceiling } from './circuit-breakers.ts';
import type { BreakerReason, BreakerState } from './error-rate-breaker.ts';

const codeClasses = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const;

/** The metrics of one cluster, its label already filled in. */
export interface ClusterStats {
  request(status: number): void;
  requestFailed(): void;
  readonly duration: HistogramHandle;
  readonly active: GaugeHandle;
  readonly connections: GaugeHandle;
  readonly pending: GaugeHandle;
  readonly connectionsTotal: CounterHandle;
  readonly connectFailures: CounterHandle;
  readonly resets: CounterHandle;
  readonly timeouts: CounterHandle;
  readonly ejections: CounterHandle;
  readonly overflow: Readonly<Record<Ceiling | 'circuit_open', CounterHandle>>;
  breakerState(state: BreakerState, reason: BreakerReason): void;
  readonly sentAgain: CounterHandle;
  /** Milliseconds: after how long the app closes unused connections, if known, and how long they are used. */
  idle(appCloses: number | undefined, limit: number): void;
  readonly held: GaugeHandle;
  readonly heldTotal: Readonly<Record<HoldResult, CounterHandle>>;
  checked(good: boolean): void;
  /** What may be under way at a time, of all processes together. */
  ceiling(ceiling: Ceiling, most: number): void;
  readonly healthy: GaugeHandle;
  readonly panic: GaugeHandle;
}

/** Gauges are moved, never set, because at a reload an old and a new cluster of one name live side by side for a while. */
export function createClusterStats(stats: Stats, cluster: string): ClusterStats {
  const labels = { cluster };
  const counter = (name: string, doc: string) =>
    stats.counter(`portico_cluster_${name}`, doc, ['cluster']).with(labels);
  const gauge = (name: string, doc: string, together?: Together) =>
    stats.gauge(`portico_cluster_${name}`, doc, ['cluster'], together).with(labels);
  const requests = stats.counter(
    'portico_cluster_upstream_requests_total',
    'Tries by the class of their status; `error` got no usable response.',
    ['cluster', 'code_class'],
  );
  const byClass = codeClasses.map((code_class) => requests.with({ cluster, code_class }));
  const failed = requests.with({ cluster, code_class: 'error' });
  const overflows = stats.counter(
    'portico_cluster_overflow_total',
    'Times a ceiling of a circuit breaker was reached.',
    ['cluster', 'ceiling'],
  );
  const overflow = (ceiling: string) => overflows.with({ cluster, ceiling });
  const state = gauge('circuit_breaker_state', 'Error-rate breaker: 0 closed, 1 half open, 2 open.', 'max');
  state.set(0);
  const transitions = stats.counter(
    'portico_cluster_circuit_breaker_transitions_total',
    'Changes of the error-rate breaker, by the state that began and why.',
    ['cluster', 'to', 'reason'],
  );
  const appIdleClose = gauge(
    'app_idle_close_seconds',
    'After how long without use the app closes a connection, as it says or shows; 0 is not known.',
    'max',
  );
  const idleTimeout = gauge(
    'idle_timeout_seconds',
    'After how long without use a connection is not used again; 0 is no limit.',
    'max',
  );
  const ceilings = stats.gauge(
    'portico_cluster_ceiling',
    'What `circuit_breakers` allow at a time, of all workers together.',
    ['cluster', 'ceiling'],
    'max',
  );
  const held = stats.counter(
    'portico_cluster_held_requests_total',
    'Requests that waited for the app to come back, by how that ended.',
    ['cluster', 'result'],
  );
  const checks = stats.counter('portico_cluster_health_checks_total', 'Active health checks, by result.', [
    'cluster',
    'result',
  ]);
  const [checksGood, checksBad] = ['success', 'failure'].map((result) => checks.with({ cluster, result })) as [
    CounterHandle,
    CounterHandle,
  ];
  return {
    request: (status) => byClass[Math.floor(status / 100) - 1]?.add(),
    requestFailed: () => failed.add(),
    duration: stats
      .histogram(
        'portico_cluster_upstream_request_duration_seconds',
        'From the start of a try to the end of its response.',
        ['cluster'],
      )
      .with(labels),
    active: gauge('upstream_requests_active', 'Tries under way.'),
    connections: gauge('upstream_connections', 'Open connections, and those about to be.'),
    pending: gauge('pending_requests', 'Requests that wait for a connection.'),
    connectionsTotal: counter('upstream_connections_total', 'Connections opened.'),
    connectFailures: counter('upstream_connect_failures_total', 'Connections that could not be opened.'),
    resets: counter(
      'upstream_resets_total',
      'Responses that did not come, or not whole, because the connection ended.',
    ),
    timeouts: counter('upstream_timeouts_total', 'Tries that ran into a timeout.'),
    ejections: counter('outlier_ejections_total', 'Endpoints ejected by outlier detection.'),
    overflow: {
      max_connections: overflow('max_connections'),
      max_pending_requests: overflow('max_pending_requests'),
      max_requests: overflow('max_requests'),
      max_retries: overflow('max_retries'),
      circuit_open: overflow('circuit_open'),
    },
    breakerState(to, reason) {
      state.set({ closed: 0, half_open: 1, open: 2 }[to]);
      transitions.with({ cluster, to, reason }).add();
    },
    sentAgain: counter(
      'stale_connections_total',
      'Requests sent once more because the app closed the unused connection they were sent on.',
    ),
    idle(appCloses, limit) {
      appIdleClose.set((appCloses ?? 0) / 1000);
      idleTimeout.set(limit === Infinity ? 0 : limit / 1000);
    },
    held: gauge('held_requests', 'Requests that wait for the app to come back.'),
    heldTotal: {
      released: held.with({ cluster, result: 'released' }),
      timeout: held.with({ cluster, result: 'timeout' }),
      overflow: held.with({ cluster, result: 'overflow' }),
      cancelled: held.with({ cluster, result: 'cancelled' }),
    },
    ceiling: (ceiling, most) => ceilings.with({ cluster, ceiling }).set(most),
    checked: (good) => (good ? checksGood : checksBad).add(),
    healthy: gauge('endpoints_healthy', 'Endpoints that are neither ejected nor found unhealthy.', 'min'),
    panic: gauge('panic', '1 while health is ignored because too few endpoints are healthy.', 'max'),
  };
}
