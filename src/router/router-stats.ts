import type { CounterHandle, Stats } from '../stats/index.ts';

/** What the router counts of one cluster. Handles are made at load. */
export interface ForwardStats {
  /** Retries that were answered with something that was passed on. */
  readonly retriesSucceeded: CounterHandle;
  /** Retries that failed, whether or not another one followed. */
  readonly retriesFailed: CounterHandle;
  /** Requests that ended with URX. */
  readonly retriesExhausted: CounterHandle;
  /** Retries given up because the request body was no longer whole. */
  readonly retriesAbandoned: CounterHandle;
  /** Tries begun beside one that took too long. */
  readonly hedges: CounterHandle;
  /** Requests whose deadline passed. */
  readonly timeouts: CounterHandle;
}

export function forwardStats(stats: Stats): (cluster: string) => ForwardStats {
  const labels = ['cluster'];
  const retries = stats.counter(
    'portico_router_retries_total',
    'Tries after the first one of a request, by how they ended.',
    ['cluster', 'result'],
  );
  const exhausted = stats.counter(
    'portico_router_retries_exhausted_total',
    'Requests that failed on the last try they had.',
    labels,
  );
  const abandoned = stats.counter(
    'portico_router_retries_abandoned_total',
    'Retries given up because more of the request body was sent than is kept (max_request_bytes).',
    labels,
  );
  const hedges = stats.counter(
    'portico_router_hedges_total',
    'Tries begun beside one that took longer than per_try_timeout.',
    labels,
  );
  const timeouts = stats.counter(
    'portico_router_timeouts_total',
    'Requests that had no response within the timeout of their route.',
    labels,
  );
  return (cluster) => ({
    retriesSucceeded: retries.with({ cluster, result: 'success' }),
    retriesFailed: retries.with({ cluster, result: 'failure' }),
    retriesExhausted: exhausted.with({ cluster }),
    retriesAbandoned: abandoned.with({ cluster }),
    hedges: hedges.with({ cluster }),
    timeouts: timeouts.with({ cluster }),
  });
}
