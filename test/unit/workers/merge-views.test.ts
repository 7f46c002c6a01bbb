import { expect, it } from 'vitest';
import type { ClusterView, ListenerView } from '../../../src/admin/index.ts';
import { mergeClusters, mergeListeners } from '../../../src/workers/merge-views.ts';
import { restartDelay } from '../../../src/workers/restart-delay.ts';

const cluster = (overrides: Partial<ClusterView>, health = 'healthy'): ClusterView => ({
  name: 'app',
  lb_policy: 'round_robin',
  error_rate_breaker: 'closed',
  circuit_breakers: { max_requests: { used: 2, most: 10 } },
  idle_connections: 1,
  endpoints: [{ address: '127.0.0.1:8080', weight: 3, health, active_requests: 2, connections: 3 }],
  ...overrides,
});

it('numbers of clusters are added, what is configured is not', () => {
  expect(mergeClusters([[cluster({})], [cluster({})]])).toEqual([
    {
      name: 'app',
      lb_policy: 'round_robin',
      error_rate_breaker: 'closed',
      circuit_breakers: { max_requests: { used: 4, most: 20 } },
      idle_connections: 2,
      endpoints: [{ address: '127.0.0.1:8080', weight: 3, health: 'healthy', active_requests: 4, connections: 6 }],
    },
  ]);
});

it('states that differ are all told', () => {
  const [merged] = mergeClusters([[cluster({ error_rate_breaker: 'open' }, 'ejected')], [cluster({})], [cluster({})]]);
  expect(merged?.error_rate_breaker).toBe('open (1 of 3), closed (2 of 3)');
  expect(merged?.endpoints[0]?.health).toBe('ejected (1 of 3), healthy (2 of 3)');
});

it('what only one has is there as well', () => {
  expect(mergeClusters([[cluster({})], [cluster({ name: 'other' })], []]).map(({ name }) => name)).toEqual([
    'app',
    'other',
  ]);
  expect(mergeClusters([])).toEqual([]);
});

it('connections and exchanges of listeners are added', () => {
  const listener: ListenerView = {
    name: 'http',
    address: '0.0.0.0:80',
    protocols: ['HTTP/1.1'],
    connections: 4,
    active_exchanges: 1,
  };
  expect(mergeListeners([[listener], [{ ...listener, connections: 1 }]])).toEqual([
    { ...listener, connections: 5, active_exchanges: 2 },
  ]);
});

it('a worker is replaced later and later, at most after ten seconds', () => {
  expect([1, 2, 3, 7, 8, 50].map(restartDelay)).toEqual([100, 200, 400, 6400, 10_000, 10_000]);
});
