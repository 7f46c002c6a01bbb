import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import rateLimit from '../../filters/rate-limit.ts';
import { appliedLimit } from '../../filters/rate-limit/limit-headers.ts';
import type { Exchange } from '../../src/http/index.ts';
import { makeExchange, startFilter, type ContextOptions, type StartedFilter } from '../support/filter-harness.ts';
import { noRedis, startRedis, type RedisServer, type RedisServerOptions } from '../support/redis-server.ts';

const missing = noRedis();
if (missing !== undefined) console.warn(`SKIPPED: test/integration/rate-limit-redis.test.ts: ${missing}`);

type Limiter = StartedFilter<NonNullable<typeof rateLimit.stats>>;
type Input = Parameters<
  typeof startFilter<NonNullable<typeof rateLimit.config>, NonNullable<typeof rateLimit.stats>>
>[1];

/** A decision must come within the deadline of 50 ms; the rest is for the machine that runs the tests. */
const deadline = 50;
const schedulingSlack = 100;

/** Where the deadline is not what is tested, a busy machine shall not meet it. */
function patient(server: RedisServer): { url: string; timeout: string } {
  return { url: server.url, timeout: '3s' };
}

async function redisServer(options?: RedisServerOptions): Promise<RedisServer> {
  const server = await startRedis(options);
  onTestFinished(() => server.close());
  return server;
}

/** A way to Redis on which answers take as long as one says. */
async function slowWayTo(server: RedisServer): Promise<{ readonly url: string; delay: number }> {
  const sockets = new Set<Socket>();
  const way = { url: '', delay: 0 };
  const proxy = createServer((client) => {
    const redis = connect(server.port, '127.0.0.1');
    for (const socket of [client, redis]) {
      sockets.add(socket);
      socket.setNoDelay(true).on('error', () => {});
    }
    client.on('data', (chunk) => redis.write(chunk)).on('close', () => redis.destroy());
    let earlier = Promise.resolve();
    redis.on('data', (chunk) => {
      const due = sleep(way.delay);
      earlier = earlier.then(async () => {
        await due;
        if (!client.destroyed) client.write(chunk);
      });
    });
    redis.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  });
  way.url = `redis://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  return way;
}

async function limiter(config: Input, options?: ContextOptions): Promise<Limiter> {
  const filter = await startFilter(rateLimit, config, options);
  onTestFinished(() => filter.close());
  return filter;
}

/** A bucket that is not refilled while a test runs. */
const onceAnHour = { tokens_per_fill: 1, fill_interval: '1h' } as const;

/** `allowed`, `unlimited` when nobody decided, or the details of the refusal. */
async function ask(filter: Limiter, exchange: Exchange = makeExchange()): Promise<string> {
  const reply = await filter.request(exchange);
  if (reply !== undefined) return reply.local.details;
  return exchange.get(appliedLimit) === undefined ? 'unlimited' : 'allowed';
}

/** The answer, how long it took, and how long the machine then takes to wait for as long as the deadline. */
async function timed(filter: Limiter): Promise<{ answer: string; milliseconds: number; reference: number }> {
  const start = performance.now();
  const since = () => performance.now() - start;
  const [[answer, milliseconds], reference] = await Promise.all([
    ask(filter).then((answer) => [answer, since()] as const),
    sleep(deadline).then(since),
  ]);
  return { answer, milliseconds, reference };
}

/** Milliseconds until the filter gives this answer. */
async function timeUntil(filter: Limiter, answer: string): Promise<number> {
  const start = performance.now();
  while (performance.now() - start < 5000) {
    if ((await ask(filter)) === answer) return performance.now() - start;
    await sleep(5);
  }
  throw new Error(`never answered ${answer}`);
}

describe.skipIf(missing !== undefined)('rate-limit with Redis', () => {
  it('lets a burst pass and refuses what comes behind it, with the headers', async () => {
    const server = await redisServer();
    const filter = await limiter({
      max_tokens: 3,
      tokens_per_fill: 1,
      fill_interval: '10s',
      redis: patient(server),
    });
    expect([await ask(filter), await ask(filter), await ask(filter)]).toEqual(['allowed', 'allowed', 'allowed']);
    const reply = await filter.request(makeExchange());
    expect(reply?.status).toBe(429);
    expect(reply?.local).toEqual({ details: 'request_rate_limited', flag: 'RL' });
    expect(reply?.headers.get('retry-after')).toBe('10');
    expect(reply?.headers.get('ratelimit-limit')).toBe('3');
    expect(reply?.headers.get('ratelimit-remaining')).toBe('0');
    expect(reply?.headers.get('ratelimit-reset')).toBe('10');
    expect(filter.stats).toMatchObject({ allowed: 3, limited: 1, store_failures: 0 });
  });

  it('gives the last token of a bucket whose tokens take no round number of milliseconds', async () => {
    const server = await redisServer();
    const config = { max_tokens: 700, tokens_per_fill: 7, fill_interval: '1h', redis: patient(server) } as const;
    const filter = await limiter(config);
    const answers = await Promise.all(Array.from({ length: 710 }, () => ask(filter)));
    expect(answers.filter((answer) => answer === 'allowed')).toHaveLength(700);
  });

  it('takes limits that refill in less than a second', async () => {
    const server = await redisServer();
    const filter = await limiter({
      max_tokens: 2,
      tokens_per_fill: 2,
      fill_interval: '200ms',
      redis: patient(server),
    });
    expect([await ask(filter), await ask(filter), await ask(filter)]).toEqual([
      'allowed',
      'allowed',
      'request_rate_limited',
    ]);
    expect(await timeUntil(filter, 'allowed')).toBeLessThan(100 + schedulingSlack);
  });

  it('shares one limit between two instances', async () => {
    const server = await redisServer();
    const config = { max_tokens: 100, tokens_per_fill: 100, fill_interval: '1s', redis: patient(server) } as const;
    const instances = [await limiter(config), await limiter(config)];
    const start = performance.now();
    let last = start;
    let allowed = 0;
    await Promise.all(
      instances.map(async (filter) => {
        while (performance.now() - start < 1500) {
          if ((await ask(filter)) === 'allowed') allowed++;
          last = performance.now();
        }
      }),
    );
    const expected = 100 + 100 * ((last - start) / 1000);
    expect(allowed).toBeGreaterThan(expected * 0.95);
    expect(allowed).toBeLessThan(expected * 1.05);
    expect(instances[0]!.stats.allowed).toBeGreaterThan(0);
    expect(instances[1]!.stats.allowed).toBeGreaterThan(0);
  });

  it('keeps the buckets of routes and of filters apart', async () => {
    const server = await redisServer();
    const config = { max_tokens: 1, ...onceAnHour, redis: patient(server) };
    const filters = [
      await limiter(config),
      await limiter(config, { route: 'slow' }),
      await limiter(config, { id: 'other' }),
    ];
    for (const filter of filters)
      expect([await ask(filter), await ask(filter)]).toEqual(['allowed', 'request_rate_limited']);
  });

  it('goes on when Redis forgets its scripts and its data', async () => {
    const server = await redisServer();
    const filter = await limiter({ max_tokens: 1, ...onceAnHour, redis: patient(server) });
    expect([await ask(filter), await ask(filter)]).toEqual(['allowed', 'request_rate_limited']);
    await server.command('SCRIPT', 'FLUSH');
    expect(await ask(filter)).toBe('request_rate_limited');
    await server.command('FLUSHALL');
    expect([await ask(filter), await ask(filter)]).toEqual(['allowed', 'request_rate_limited']);
    expect(filter.stats.store_failures).toBe(0);
    expect(filter.log).toEqual([]);
  });

  it('writes short keys that name no client, in one slot each, and expire when the bucket is full', async () => {
    const server = await redisServer();
    const filter = await limiter({
      key: ['client_address', 'header:x-api-key'],
      max_tokens: 10,
      tokens_per_fill: 10,
      fill_interval: '60s',
      redis: { ...patient(server), key_prefix: 'shop' },
    });
    const secret = 'secret-'.repeat(1000);
    await ask(filter, makeExchange({ headers: { 'x-api-key': secret }, clientAddress: '192.0.2.7' }));
    const keys = (await server.command('KEYS', '*')) as string[];
    expect(keys).toEqual([expect.stringMatching(/^shop:\{test:[\w-]{22}\}$/)]);
    const ttl = (await server.command('PTTL', keys[0]!)) as number;
    expect(ttl).toBeGreaterThan(4000);
    expect(ttl).toBeLessThanOrEqual(6000);
  });

  it.each([
    ['allow', 'unlimited'],
    ['deny', 'rate_limit_store_failed'],
    ['local', 'allowed'],
  ] as const)(
    'on a key of the wrong type does what on_store_failure: %s says, for this client only',
    async (policy, answer) => {
      const server = await redisServer();
      const config = { max_tokens: 1, ...onceAnHour, redis: patient(server), on_store_failure: policy };
      const filter = await limiter(config);
      expect([await ask(filter), await ask(filter)]).toEqual(['allowed', 'request_rate_limited']);
      const [key] = (await server.command('KEYS', '*')) as string[];
      await server.command('DEL', key!);
      await server.command('LPUSH', key!, 'x');
      expect(await ask(filter)).toBe(answer);
      expect(filter.stats.store_failures).toBe(1);
      expect(filter.log).toEqual([
        expect.objectContaining({
          level: 'warn',
          fields: { cause: expect.stringContaining('WRONGTYPE') as string, failures: 1 },
        }),
      ]);
      const other = makeExchange({ clientAddress: '192.0.2.9' });
      expect(await ask(filter, other)).toBe('allowed');
      expect(filter.stats.store_failures).toBe(1);
    },
  );

  it('locks nobody out when the clock of Redis was set back', async () => {
    const server = await redisServer();
    const filter = await limiter({
      max_tokens: 2,
      tokens_per_fill: 10,
      fill_interval: '1s',
      redis: patient(server),
    });
    await ask(filter);
    const [key] = (await server.command('KEYS', '*')) as string[];
    await server.command('SET', key!, String(Date.now() + 3_600_000), 'PX', 3_600_000);
    expect(await ask(filter)).toBe('request_rate_limited');
    expect(await timeUntil(filter, 'allowed')).toBeLessThan(100 + schedulingSlack);
  });

  it.each([
    ['allow', 'unlimited'],
    ['deny', 'rate_limit_store_failed'],
  ] as const)(
    'decides within its deadline while Redis hangs (%s), and is back within a second',
    async (policy, answer) => {
      const server = await redisServer();
      const filter = await limiter({
        max_tokens: 1,
        ...onceAnHour,
        redis: { url: server.url },
        on_store_failure: policy,
      });
      await timeUntil(filter, 'request_rate_limited');
      server.pause();
      const durations: number[] = [];
      for (const start = performance.now(); performance.now() - start < 1300;) {
        const asked = await timed(filter);
        expect(asked.answer).toBe(answer);
        expect(asked.milliseconds).toBeLessThan(asked.reference + schedulingSlack);
        durations.push(asked.milliseconds);
      }
      expect(durations[0]).toBeGreaterThan(deadline - 5);
      // The dead connection has been given up, so requests no longer wait.
      expect(Math.min(...durations.slice(-5))).toBeLessThan(deadline / 2);
      expect(filter.stats.store_failures).toBeGreaterThan(10);
      server.resume();
      expect(await timeUntil(filter, 'request_rate_limited')).toBeLessThan(1000);
    },
  );

  it.each([
    ['allow', 'unlimited'],
    ['deny', 'rate_limit_store_failed'],
  ] as const)(
    'decides within its deadline while Redis takes two seconds (%s), and takes no late answer for that of another client',
    { timeout: 30_000 },
    async (policy, answer) => {
      const server = await redisServer();
      const way = await slowWayTo(server);
      const filter = await limiter({
        max_tokens: 1,
        ...onceAnHour,
        redis: { url: way.url },
        on_store_failure: policy,
      });
      const client = (n: number) => makeExchange({ clientAddress: `192.0.2.${n}` });
      await timeUntil(filter, 'request_rate_limited');
      way.delay = 2000;
      for (const start = performance.now(); performance.now() - start < 2500;) {
        const asked = await timed(filter);
        expect(asked.answer).toBe(answer);
        expect(asked.milliseconds).toBeLessThan(asked.reference + schedulingSlack);
      }
      way.delay = 0;
      expect(await timeUntil(filter, 'request_rate_limited')).toBeLessThan(1000);
      // Answers of then may still come, each of them a refusal; to those who never asked they must not go.
      for (let n = 1; n <= 100; n++) {
        const first = await ask(filter, client(n));
        // On a busy machine even an answer without delay may miss the deadline.
        expect(['allowed', answer]).toContain(first);
        if (first === 'allowed') expect(['request_rate_limited', answer]).toContain(await ask(filter, client(n)));
        await sleep(10);
      }
    },
  );

  it.each([
    ['allow', 'unlimited'],
    ['deny', 'rate_limit_store_failed'],
  ] as const)('decides at once while Redis is gone (%s), and is back within a second', async (policy, answer) => {
    const server = await redisServer();
    const filter = await limiter({
      max_tokens: 1,
      ...onceAnHour,
      redis: { url: server.url },
      on_store_failure: policy,
    });
    await timeUntil(filter, 'allowed');
    await server.kill();
    const start = performance.now();
    while (performance.now() - start < 1000) {
      const asked = await timed(filter);
      expect(asked.answer).toBe(answer);
      expect(asked.milliseconds).toBeLessThan(asked.reference + schedulingSlack);
    }
    await server.start();
    expect(await timeUntil(filter, 'allowed')).toBeLessThan(1000);
    expect(await ask(filter)).toBe('request_rate_limited');
  });

  it('limits in the memory of the instance while Redis is gone, when told so', async () => {
    const server = await redisServer();
    const filter = await limiter({
      max_tokens: 2,
      ...onceAnHour,
      redis: patient(server),
      on_store_failure: 'local',
    });
    expect([await ask(filter), await ask(filter), await ask(filter)]).toEqual([
      'allowed',
      'allowed',
      'request_rate_limited',
    ]);
    await server.kill();
    expect([await ask(filter), await ask(filter), await ask(filter)]).toEqual([
      'allowed',
      'allowed',
      'request_rate_limited',
    ]);
    expect(filter.stats.store_failures).toBe(3);
  });

  it('warns once in ten seconds however many requests fail, and tells of the return', async () => {
    const server = await redisServer();
    const filter = await limiter({ max_tokens: 5, ...onceAnHour, redis: patient(server) });
    await server.kill();
    await timeUntil(filter, 'unlimited');
    for (let n = 0; n < 200; n++) await ask(filter);
    expect(filter.log.map((line) => line.level)).toEqual(['warn']);
    filter.clock.advance(10_000);
    for (let n = 0; n < 200; n++) await ask(filter);
    expect(filter.log.map((line) => line.level)).toEqual(['warn', 'warn']);
    await server.start();
    await timeUntil(filter, 'allowed');
    expect(filter.log.map((line) => line.level)).toEqual(['warn', 'warn', 'info']);
  });

  it('starts without Redis, and uses it when it comes', async () => {
    const server = await redisServer({ down: true });
    const start = performance.now();
    const filter = await limiter({ max_tokens: 1, ...onceAnHour, redis: { url: `redis://127.0.0.1:${server.port}` } });
    expect(performance.now() - start).toBeLessThan(2000);
    expect(await ask(filter)).toBe('unlimited');
    expect(filter.log[0]).toMatchObject({
      level: 'warn',
      fields: { cause: expect.stringContaining('ECONNREFUSED') as string },
    });
    await server.start();
    expect(await timeUntil(filter, 'allowed')).toBeLessThan(1000);
  });

  it('logs in with the password of the URL or of the option', async () => {
    const server = await redisServer({ password: 's3cr/et' });
    const configs: Input[] = [
      { max_tokens: 1, redis: { url: `redis://:s3cr%2Fet@127.0.0.1:${server.port}/0` } },
      { max_tokens: 1, redis: { ...patient(server), password: 's3cr/et' } },
    ];
    for (const [n, config] of configs.entries())
      expect(await ask(await limiter(config, { id: `f${n}` }))).toBe('allowed');
  });

  it('never logs a password, wrong or right', async () => {
    const server = await redisServer({ password: 'right-one' });
    const filter = await limiter({
      max_tokens: 1,
      redis: { url: `redis://user:wrong-one@127.0.0.1:${server.port}` },
    });
    expect(await ask(filter)).toBe('unlimited');
    expect(filter.log.length).toBeGreaterThan(0);
    expect(JSON.stringify(filter.log)).toContain('WRONGPASS');
    expect(JSON.stringify(filter.log)).not.toContain('wrong-one');
  });

  it('lets go of its connection when it is closed, even while Redis hangs', async () => {
    const server = await redisServer();
    const pipes = () => process.getActiveResourcesInfo().filter((name) => name === 'PipeWrap').length;
    const before = pipes();
    const config = { max_tokens: 1, redis: { url: server.url } };
    const filters = [await startFilter(rateLimit, config), await startFilter(rateLimit, config)];
    await filters[0]!.close();
    server.pause();
    const pending = filters[1]!.request(makeExchange());
    await filters[1]!.close();
    await pending;
    const start = performance.now();
    while (pipes() > before && performance.now() - start < 1000) await sleep(10);
    expect(pipes()).toBe(before);
    server.resume();
    expect(await server.command('CLIENT', 'LIST')).not.toContain('portico-rate-limit');
  });
});
