import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { clusterSchema } from '../../../src/cluster/config.ts';

it('defaults', () => {
  expect(
    v.parse(clusterSchema, { name: 'app', endpoints: ['127.0.0.1:8080', '[::1]:81', 'unix:/run/app.sock'] }),
  ).toEqual({
    name: 'app',
    endpoints: [
      { address: { kind: 'tcp', host: '127.0.0.1', port: 8080 }, weight: 1 },
      { address: { kind: 'tcp', host: '::1', port: 81 }, weight: 1 },
      { address: { kind: 'unix', path: '/run/app.sock' }, weight: 1 },
    ],
    lb_policy: 'round_robin',
    connect_timeout: 5000,
    idle_timeout: 4000,
    max_requests_per_connection: 0,
    max_response_headers: 60 * 1024,
    circuit_breakers: {
      max_connections: 1024,
      max_pending_requests: 1024,
      max_requests: 1024,
      retry_budget: { budget_percent: 20, min_retry_concurrency: 3 },
    },
    healthy_panic_threshold: 50,
    hold: { max_requests: 1024, max_wait: 5000, max_outage: 30_000, probe_interval: 50 },
    dns: { refresh_rate: 5000, family: 'auto' },
  });
});

it('an empty object takes the defaults of what is off otherwise', () => {
  const config = v.parse(clusterSchema, {
    name: 'app',
    endpoints: [{ address: 'app.test:80', weight: 3 }],
    error_rate_breaker: {},
    outlier_detection: {},
    tls: {},
    health_check: { http: {} },
    slow_start: {},
  });
  expect(config.health_check).toEqual({
    http: { path: '/', expected_statuses: [{ min: 200, max: 200 }] },
    interval: 5000,
    interval_jitter: 0,
    timeout: 1000,
    unhealthy_threshold: 2,
    healthy_threshold: 1,
  });
  expect(config.slow_start).toEqual({ window: 30_000, min_weight_percent: 10, aggression: 1 });
  expect(config.endpoints).toEqual([{ address: { kind: 'tcp', host: 'app.test', port: 80 }, weight: 3 }]);
  expect(config.error_rate_breaker).toEqual({
    error_threshold_percentage: 50,
    minimum_requests: 20,
    window: 10_000,
    open_duration: 30_000,
    max_open_duration: 300_000,
  });
  expect(config.outlier_detection).toEqual({
    consecutive_5xx: 5,
    interval: 10_000,
    base_ejection_time: 30_000,
    max_ejection_time: 300_000,
    max_ejection_percent: 10,
  });
  expect(config.tls).toEqual({ insecure_skip_verify: false });
});

describe('refused', () => {
  it.each<[string, object, string]>([
    ['no endpoints', { endpoints: [] }, 'at least one endpoint'],
    ['an endpoint without port', { endpoints: ['127.0.0.1'] }, 'must be an address such as'],
    ['an unknown policy', { lb_policy: 'fastest' }, 'round_robin'],
    ['a timeout of nothing', { connect_timeout: 0 }, 'at least 1ms'],
    ['a weight of nothing', { endpoints: [{ address: '127.0.0.1:1', weight: 0 }] }, ''],
    ['a ceiling of nothing', { circuit_breakers: { max_requests: 0 } }, 'from 1 to'],
    ['an unknown option', { timeouts: {} }, ''],
    ['a health check of nothing', { health_check: {} }, 'must have one of http, grpc and tcp'],
    ['a health check of both', { health_check: { http: {}, tcp: {} } }, 'must have one of http, grpc and tcp'],
    ['a status that is none', { health_check: { http: { expected_statuses: [20] } } }, 'must be a status such as 200'],
    ['a breaker that is just true', { error_rate_breaker: true }, ''],
  ])('%s', (_name, options, message) => {
    const result = v.safeParse(clusterSchema, { name: 'app', endpoints: ['127.0.0.1:8080'], ...options });
    expect(result.success).toBe(false);
    expect(result.issues!.map((issue) => issue.message).join('\n')).toContain(message);
  });
});
