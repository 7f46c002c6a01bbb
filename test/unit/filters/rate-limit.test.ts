import { describe, expect, it, onTestFinished } from 'vitest';
import * as v from 'valibot';
import rateLimit from '../../../filters/rate-limit.ts';
import { isLocalReply, localReply, type Exchange, type LocalReply } from '../../../src/http/index.ts';
import {
  makeExchange,
  startFilter,
  type ContextOptions,
  type ExchangeOptions,
  type StartedFilter,
} from '../../support/filter-harness.ts';

type Config = NonNullable<typeof rateLimit.config>;
type Limiter = StartedFilter<NonNullable<typeof rateLimit.stats>>;

async function limiter(config: v.InferInput<Config>, options?: ContextOptions): Promise<Limiter> {
  const filter = await startFilter(rateLimit, config, options);
  onTestFinished(() => filter.close());
  return filter;
}

/** The refusal, or undefined. Fails if the filter made anybody wait. */
function ask(filter: Limiter, exchange: Exchange | ExchangeOptions = {}): LocalReply | undefined {
  const reply = filter.request('request' in exchange ? exchange : makeExchange(exchange));
  expect(reply).not.toBeInstanceOf(Promise);
  return reply as LocalReply | undefined;
}

describe('rate-limit', () => {
  it('lets the burst pass and refuses the next request, without a promise', async () => {
    const filter = await limiter({ max_tokens: 2 });
    expect(ask(filter)).toBeUndefined();
    expect(ask(filter)).toBeUndefined();
    const reply = ask(filter);
    expect(reply?.status).toBe(429);
    expect(reply?.local).toEqual({ details: 'request_rate_limited', flag: 'RL' });
    expect(reply?.headers.get('retry-after')).toBe('1');
    expect(filter.stats).toMatchObject({ allowed: 2, limited: 1, store_failures: 0, evicted: 0 });
  });

  it('gives each client a bucket of its own', async () => {
    const filter = await limiter({ max_tokens: 1 });
    expect(ask(filter, { clientAddress: '192.0.2.1' })).toBeUndefined();
    expect(ask(filter, { clientAddress: '192.0.2.1' })).toBeDefined();
    expect(ask(filter, { clientAddress: '192.0.2.2' })).toBeUndefined();
  });

  it('refills by the monotonic clock, and a jump of the wall clock changes nothing', async () => {
    const filter = await limiter({ max_tokens: 1, fill_interval: '10s' });
    ask(filter);
    for (const jump of [3_600_000, -7_200_000]) {
      filter.clock.jump(jump);
      expect(ask(filter)?.headers.get('retry-after')).toBe('10');
    }
    filter.clock.advance(9999);
    expect(ask(filter)?.headers.get('retry-after')).toBe('1');
    filter.clock.advance(1);
    expect(ask(filter)).toBeUndefined();
  });

  it.each([
    ['30s', 1, '30'],
    ['30s', 3, '10'],
    ['2500ms', 1, '3'],
    ['50ms', 1, '1'],
    ['1h', 7, '515'],
  ] as const)(
    'says to retry after %s for %i tokens, rounded up: %s',
    async (fill_interval, tokens_per_fill, seconds) => {
      const filter = await limiter({ max_tokens: 1, tokens_per_fill, fill_interval });
      ask(filter);
      expect(ask(filter)?.headers.get('retry-after')).toBe(seconds);
    },
  );

  it('tells the limit on allowed and on refused answers', async () => {
    const filter = await limiter({ max_tokens: 2, fill_interval: '10s' });
    const told = [0, 1, 2].map(() => {
      const exchange = makeExchange();
      const response = ask(filter, exchange) ?? { ...localReply(200, 'ok') };
      void filter.hooks.onResponse!(response, exchange);
      filter.clock.advance(1500);
      return ['limit', 'remaining', 'reset'].map((what) => response.headers.getAll(`ratelimit-${what}`).join());
    });
    expect(told).toEqual([
      ['2', '1', '10'],
      ['2', '0', '9'],
      ['2', '0', '7'],
    ]);
  });

  it('has the headers on the refusal itself, for a refusal may not come back through the filter', async () => {
    const filter = await limiter({ max_tokens: 1 });
    ask(filter);
    const reply = ask(filter)!;
    expect(isLocalReply(reply)).toBe(true);
    expect([...reply.headers].map(([name]) => name.toLowerCase()).sort()).toEqual([
      'content-type',
      'ratelimit-limit',
      'ratelimit-remaining',
      'ratelimit-reset',
      'retry-after',
    ]);
  });

  it('takes the headers of the app away, which knows less', async () => {
    const filter = await limiter({ max_tokens: 5 });
    const exchange = makeExchange();
    ask(filter, exchange);
    const response = localReply(200, 'ok', { headers: { 'ratelimit-limit': ['7', '8'] } });
    void filter.hooks.onResponse!(response, exchange);
    expect(response.headers.getAll('ratelimit-limit')).toEqual(['5']);
  });

  it('of two limits tells the one that is met first', async () => {
    const wide = await limiter({ max_tokens: 100 });
    const tight = await limiter({ max_tokens: 3, key: 'route' });
    for (const order of [
      [wide, tight],
      [tight, wide],
    ]) {
      const exchange = makeExchange();
      for (const filter of order) ask(filter, exchange);
      const response = localReply(200, 'ok');
      for (const filter of order) void filter.hooks.onResponse!(response, exchange);
      expect(response.headers.get('ratelimit-limit')).toBe('3');
    }
  });

  it('says nothing of the limit when told not to', async () => {
    const filter = await limiter({ max_tokens: 1, rate_limit_headers: false });
    expect('onResponse' in filter.hooks).toBe(false);
    ask(filter);
    const reply = ask(filter)!;
    expect(reply.headers.has('ratelimit-limit')).toBe(false);
    expect(reply.headers.get('retry-after')).toBe('1');
  });

  it('answers with the status of the configuration', async () => {
    const filter = await limiter({ max_tokens: 1, status: 503 });
    ask(filter);
    expect(ask(filter)?.status).toBe(503);
  });

  it('does not let a client out of its limit by leaving the header out', async () => {
    const filter = await limiter({ max_tokens: 1, key: 'header:x-tenant' });
    expect(ask(filter, { headers: { 'x-tenant': 'a' } })).toBeUndefined();
    expect(ask(filter)).toBeUndefined();
    expect(ask(filter)).toBeDefined();
  });

  it('counts the buckets it holds, and forgets those that are full', async () => {
    const filter = await limiter({ max_tokens: 5, fill_interval: '5s' });
    for (let n = 0; n < 30; n++) ask(filter, { clientAddress: `192.0.2.${n}` });
    filter.clock.advance(1000);
    expect(filter.stats.keys).toBe(30);
    filter.clock.advance(20_000);
    expect(filter.stats.keys).toBe(0);
  });

  it('is bounded with a million clients, and tells how many it had to forget', async () => {
    const filter = await limiter({ max_tokens: 5, max_keys: 10_000 });
    const exchange = makeExchange();
    for (let n = 0; n < 1_000_000; n++) {
      exchange.clientAddress = `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`;
      void filter.hooks.onRequest!(exchange.request, exchange);
    }
    filter.clock.advance(999);
    expect(filter.stats.keys).toBe(0);
    filter.clock.advance(1);
    expect(filter.stats.allowed).toBe(1_000_000);
    expect(filter.stats.keys).toBeLessThanOrEqual(10_000);
    expect(filter.stats.evicted).toBeGreaterThanOrEqual(990_000);
  });

  it('keeps a limited client limited while others flood it', async () => {
    const filter = await limiter({ max_tokens: 5, fill_interval: '60s', max_keys: 100 });
    for (let n = 0; n < 5; n++) ask(filter, { clientAddress: '192.0.2.1' });
    for (let n = 0; n < 20_000; n++) ask(filter, { clientAddress: `10.1.${n >> 8}.${n & 255}` });
    expect(ask(filter, { clientAddress: '192.0.2.1' })).toBeDefined();
  });

  it('takes its buckets out of the gauge when it is closed', async () => {
    const filter = await startFilter(rateLimit, { max_tokens: 5 });
    ask(filter);
    filter.clock.advance(1000);
    await filter.close();
    expect(filter.stats.keys).toBe(0);
  });
});

describe('the configuration of rate-limit', () => {
  const schema = rateLimit.config!;

  it('does not repeat a URL that is wrong, for it may hold a password', () => {
    const result = v.safeParse(schema, { max_tokens: 1, redis: { url: 'reddis://:hunter2@cache' } });
    expect(result.issues?.map((issue) => issue.message).join()).not.toContain('hunter2');
  });

  it('takes the example of the design, and a route that overrides one option of it', () => {
    const example = { key: 'client_address', max_tokens: 100, tokens_per_fill: 50, fill_interval: '1s' };
    expect(v.parse(schema, example)).toMatchObject({ max_tokens: 100, tokens_per_fill: 50, fill_interval: 1000 });
    expect(v.parse(schema, { ...example, max_tokens: 20 })).toMatchObject({ max_tokens: 20, tokens_per_fill: 50 });
  });

  it('fills in the defaults', () => {
    expect(v.parse(schema, { max_tokens: 1, redis: { url: 'redis://cache' } })).toEqual({
      key: 'client_address',
      max_tokens: 1,
      tokens_per_fill: 1,
      fill_interval: 1000,
      status: 429,
      rate_limit_headers: true,
      ipv6_prefix: 64,
      max_keys: 100_000,
      redis: { url: { host: 'cache', port: 6379, tls: false }, timeout: 50, key_prefix: 'portico:rate-limit' },
      on_store_failure: 'allow',
    });
  });

  it.each([
    ['no limit', {}, 'max_tokens'],
    ['no tokens', { max_tokens: 0 }, 'max_tokens'],
    ['half a token', { max_tokens: 1.5 }, 'max_tokens'],
    ['an interval that is too short', { max_tokens: 1, fill_interval: '49ms' }, 'fill_interval'],
    ['an interval of nothing', { max_tokens: 1, fill_interval: 0 }, 'fill_interval'],
    ['a status of success', { max_tokens: 1, status: 200 }, 'status'],
    ['an unknown key', { max_tokens: 1, key: 'client' }, 'key'],
    ['a header without name', { max_tokens: 1, key: 'header:' }, 'key'],
    ['no keys', { max_tokens: 1, key: [] }, 'key'],
    ['a bad key in a list', { max_tokens: 1, key: ['route', 'cookie:x'] }, 'key.1'],
    ['an unknown option', { max_tokens: 1, max_token: 1 }, 'max_token'],
    ['a Redis that is none', { max_tokens: 1, redis: { url: 'http://cache' } }, 'redis.url'],
    ['a deadline that is none', { max_tokens: 1, redis: { url: 'redis://c', timeout: '1m' } }, 'redis.timeout'],
    ['an unknown policy', { max_tokens: 1, on_store_failure: 'open' }, 'on_store_failure'],
  ])('refuses %s', (_name, config, where) => {
    const result = v.safeParse(schema, config);
    expect(result.issues?.map((issue) => v.getDotPath(issue))).toEqual([where]);
  });
});
