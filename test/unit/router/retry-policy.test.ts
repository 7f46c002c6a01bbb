import { describe, expect, it } from 'vitest';
import type { UpstreamError } from '../../../src/http/index.ts';
import type { RetryPolicyConfig } from '../../../src/router/retry-config.ts';
import { backOff, compileRetryPolicy, decideRetry, tunnelRetryPolicy } from '../../../src/router/retry-policy.ts';
import { routeConfig, seeded } from './parts.ts';
import { connectFailure, reset, staleConnection, upstreamError } from './scripted-cluster.ts';

type Input = NonNullable<NonNullable<Parameters<typeof routeConfig>[0]['route']>['retry_policy']>;

function policyOf(input: Input) {
  const config: RetryPolicyConfig = routeConfig({ route: { cluster: 'app', retry_policy: input } }).route!.retry_policy;
  return compileRetryPolicy(config);
}

const perTryTimeout = () => upstreamError('UT', 'upstream_per_try_timeout');
const refusedStream = () => upstreamError('UC', 'upstream_refused_stream', true);
const malformed = () => upstreamError('UPE', 'upstream_protocol_error');
const overflow = () => upstreamError('UO', 'upstream_overflow', true);
const noEndpoint = () => upstreamError('UH', 'no_healthy_upstream', true);
const dnsFailure = () => upstreamError('DF', 'dns_failure', true);
const clientLeft = () => upstreamError('DC', 'downstream_request_incomplete');

describe('the retry policy decides on', () => {
  const cases: [
    what: string,
    policy: Input,
    method: string,
    outcome: UpstreamError | number,
    verdict: true | string,
  ][] = [
    ['a connect failure by default', {}, 'GET', connectFailure(), true],
    ['a connect failure of a POST by default', {}, 'POST', connectFailure(), true],
    ['a DNS failure by default', {}, 'POST', dnsFailure(), true],
    ['a refused stream of a POST by default: the app has not seen it', {}, 'POST', refusedStream(), true],
    ['a stale connection by default', {}, 'GET', staleConnection(), true],
    ['a stale connection of a DELETE by default', {}, 'DELETE', staleConnection(), true],
    ['a stale connection of a POST by default', {}, 'POST', staleConnection(), 'not_idempotent'],
    ['a lost connection by default', {}, 'GET', reset(), true],
    ['a lost connection of a PATCH by default', {}, 'PATCH', reset(), 'not_idempotent'],
    ['a per-try timeout by default', {}, 'GET', perTryTimeout(), 'settled'],
    ['a malformed response by default', {}, 'GET', malformed(), 'settled'],
    ['a 503 by default', {}, 'GET', 503, 'settled'],
    ['anything with no retries', { num_retries: 0 }, 'GET', connectFailure(), 'settled'],
    ['a connect failure as gateway error', { retry_on: ['gateway-error'] }, 'POST', connectFailure(), true],
    ['a connect failure with only statuses', { retry_on: ['retriable-4xx'] }, 'GET', connectFailure(), 'settled'],
    ['a lost connection whatever is asked for', { retry_on: ['retriable-4xx'] }, 'GET', reset(), true],
    ['a refused stream', { retry_on: ['refused-stream'] }, 'POST', refusedStream(), true],
    ['a connect failure as refused stream', { retry_on: ['refused-stream'] }, 'GET', connectFailure(), 'settled'],
    [
      'a connect failure as reset before request',
      { retry_on: ['reset-before-request'] },
      'POST',
      connectFailure(),
      true,
    ],
    ['a per-try timeout as reset', { retry_on: ['reset'] }, 'GET', perTryTimeout(), true],
    ['a per-try timeout as gateway error', { retry_on: ['gateway-error'] }, 'GET', perTryTimeout(), true],
    ['a per-try timeout of a POST', { retry_on: ['reset'] }, 'POST', perTryTimeout(), 'not_idempotent'],
    ['a malformed response as 5xx', { retry_on: ['5xx'] }, 'GET', malformed(), true],
    [
      'a reset of a POST as reset before request',
      { retry_on: ['reset-before-request'] },
      'POST',
      reset(),
      'not_idempotent',
    ],
    [
      'a reset of a POST that may be repeated',
      { retry_on: ['reset'], retry_non_idempotent: true },
      'POST',
      reset(),
      true,
    ],
    ['a 500 as gateway error', { retry_on: ['gateway-error'] }, 'GET', 500, 'settled'],
    ['a 502 as gateway error', { retry_on: ['gateway-error'] }, 'GET', 502, true],
    ['a 503 as gateway error', { retry_on: ['gateway-error'] }, 'GET', 503, true],
    ['a 504 as gateway error', { retry_on: ['gateway-error'] }, 'GET', 504, true],
    ['a 503 of a POST', { retry_on: ['gateway-error'] }, 'POST', 503, 'not_idempotent'],
    [
      'a 503 of a POST that may be repeated',
      { retry_on: ['gateway-error'], retry_non_idempotent: true },
      'POST',
      503,
      true,
    ],
    ['a 500 as 5xx', { retry_on: ['5xx'] }, 'GET', 500, true],
    ['a 599 as 5xx', { retry_on: ['5xx'] }, 'GET', 599, true],
    ['a 499 as 5xx', { retry_on: ['5xx'] }, 'GET', 499, 'settled'],
    ['a 409 as retriable 4xx', { retry_on: ['retriable-4xx'] }, 'GET', 409, true],
    ['a 404 as retriable 4xx', { retry_on: ['retriable-4xx'] }, 'GET', 404, 'settled'],
    ['a listed status', { retry_on: ['retriable-status-codes'], retriable_status_codes: [425] }, 'GET', 425, true],
    ['overflow', { retry_on: ['5xx', 'reset', 'connect-failure'] }, 'GET', overflow(), 'settled'],
    ['no endpoint', { retry_on: ['5xx', 'reset', 'connect-failure'] }, 'GET', noEndpoint(), 'settled'],
    ['a client that left', { retry_on: ['5xx', 'reset'] }, 'GET', clientLeft(), 'settled'],
  ];
  it.each(cases)('%s', (_what, policy, method, outcome, verdict) => {
    const decision = decideRetry(policyOf(policy), { attempt: 1, outcome, method, replayable: true, random: 0 });
    expect(decision.retry || decision.reason).toBe(verdict);
  });

  it('the last try it has', () => {
    const decide = (attempt: number, outcome: UpstreamError | number) =>
      decideRetry(policyOf({ retry_on: ['5xx'], num_retries: 2 }), {
        attempt,
        outcome,
        method: 'GET',
        replayable: true,
        random: 0,
      });
    expect([decide(2, 503), decide(3, 503), decide(3, 200)]).toEqual([
      { retry: true, wait: 0 },
      { retry: false, reason: 'retry_limit' },
      { retry: false, reason: 'settled' },
    ]);
  });

  it('a body that is no longer whole', () => {
    const decision = decideRetry(policyOf({}), {
      attempt: 1,
      outcome: reset(),
      method: 'PUT',
      replayable: false,
      random: 0,
    });
    expect(decision).toEqual({ retry: false, reason: 'retry_abandoned_body_too_large' });
  });

  it('tunnels only before anything reached the app', () => {
    const policy = tunnelRetryPolicy(
      policyOf({ retry_on: ['connect-failure', 'reset', '5xx'], retry_non_idempotent: true }),
    );
    const verdicts = [connectFailure(), reset(), staleConnection(), 503].map((outcome) =>
      decideRetry(policy, { attempt: 1, outcome, method: 'GET', replayable: true, random: 0 }),
    );
    expect(verdicts.map(({ retry }) => retry)).toEqual([true, false, false, false]);
  });
});

describe('the back-off', () => {
  it('waits a random part of an interval that doubles up to its bound', () => {
    const policy = policyOf({});
    const longest = [1, 2, 3, 4, 5, 6, 20].map((retry) => Math.round(backOff(policy, retry, 1)));
    expect(longest).toEqual([25, 50, 100, 200, 250, 250, 250]);
    expect(backOff(policy, 3, 0)).toBe(0);
    const random = seeded(3);
    const waits = Array.from({ length: 1000 }, () => backOff(policy, 3, random()));
    expect(Math.min(...waits)).toBeLessThan(5);
    expect(Math.max(...waits)).toBeGreaterThan(95);
    expect(Math.max(...waits)).toBeLessThan(100);
  });

  it('ends at ten times its base unless told otherwise', () => {
    expect(backOff(policyOf({ retry_back_off: { base_interval: '100ms' } }), 20, 1)).toBe(1000);
    expect(backOff(policyOf({ retry_back_off: { base_interval: '100ms', max_interval: '150ms' } }), 20, 1)).toBe(150);
  });

  it('does not wait after a connection that was stale', () => {
    const wait = (outcome: UpstreamError) =>
      decideRetry(policyOf({}), { attempt: 1, outcome, method: 'GET', replayable: true, random: 0.5 });
    expect([wait(staleConnection()), wait(reset())]).toEqual([
      { retry: true, wait: 0 },
      { retry: true, wait: 12.5 },
    ]);
  });
});
