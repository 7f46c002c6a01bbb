import { expect, it } from 'vitest';
import { createCircuitBreakers } from '../../../src/cluster/circuit-breakers.ts';

const most = {
  max_connections: 2,
  max_pending_requests: 0,
  max_requests: 3,
  max_retries: 1,
  retry_budget: { budget_percent: 20, min_retry_concurrency: 3 },
};

it('a ceiling gives as many permits as it has', () => {
  const { max_requests } = createCircuitBreakers(most);
  const permits = [max_requests.take(), max_requests.take(), max_requests.take(), max_requests.take()];
  expect(permits.map((permit) => permit !== undefined)).toEqual([true, true, true, false]);
  expect(max_requests.used).toBe(3);
});

it('a ceiling of 0 gives none', () => {
  expect(createCircuitBreakers(most).max_pending_requests.take()).toBeUndefined();
});

it('a permit that is given back twice counts once', () => {
  const told: string[] = [];
  const breakers = createCircuitBreakers(most, { changed: (ceiling, by) => told.push(`${ceiling} ${by}`) });
  const [one, two] = [breakers.max_connections.take()!, breakers.max_connections.take()!];

  one.release();
  one.release();

  expect(breakers.max_connections.used).toBe(1);
  expect(breakers.max_connections.take()).toBeDefined();
  expect(breakers.max_connections.take()).toBeUndefined();
  two.release();
  expect(breakers.max_connections.used).toBe(1);
  expect(told).toEqual([
    'max_connections 1',
    'max_connections 1',
    'max_connections -1',
    'max_connections 1',
    'max_connections -1',
  ]);
});

it('ceilings do not touch each other', () => {
  const breakers = createCircuitBreakers(most);
  breakers.max_retries.take();
  expect([breakers.max_retries.used, breakers.max_requests.used, breakers.max_connections.used]).toEqual([1, 0, 0]);
});
