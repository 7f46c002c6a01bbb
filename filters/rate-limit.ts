import { randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { RateLimiterRes } from 'rate-limiter-flexible';
import {
  defineFilter,
  localReply,
  type Exchange,
  type FilterContext,
  type FilterHooks,
  type LocalReply,
} from 'portico';
import { BucketTable } from './rate-limit/bucket-table.ts';
import { rateLimitSchema, type RateLimitConfig, type RedisConfig } from './rate-limit/config.ts';
import { appliedLimit, retryAfter, setLimitHeaders } from './rate-limit/limit-headers.ts';
import type { RedisLimiter } from './rate-limit/redis-limiter.ts';
import { requestKey } from './rate-limit/request-key.ts';
import { StoreHealth } from './rate-limit/store-health.ts';
import { tokenBucket, type TokenBucket } from './rate-limit/token-bucket.ts';

export default defineFilter({
  doc: 'Limits the rate of requests with a token bucket for each client, in memory or, for several instances together, in Redis.',
  config: rateLimitSchema,
  stats: {
    allowed: 'Requests within their limit.',
    limited: 'Requests refused because their bucket was empty.',
    store_failures: 'Decisions that Redis did not make, or not in time.',
    evicted: 'Buckets forgotten before they were full, because there were more than max_keys.',
    keys: { type: 'gauge', doc: 'Buckets in memory.' },
  },
  async create(config, context) {
    const { stats } = context;
    const bucket = tokenBucket(config.max_tokens, config.tokens_per_fill, config.fill_interval);
    const keyOf = requestKey([config.key].flat(), config.ipv6_prefix);
    const { redis: redisConfig } = config;
    const needsMemory = redisConfig === undefined || config.on_store_failure === 'local';
    const memory = needsMemory ? await memoryLimiter(bucket, config.max_keys, context) : undefined;

    function judge(decision: RateLimiterRes, exchange: Exchange): void | LocalReply {
      const allowed = decision.consumedPoints <= bucket.maxTokens;
      if (config.rate_limit_headers) remember(decision, bucket, exchange);
      if (allowed) {
        stats.allowed.add();
        return;
      }
      stats.limited.add();
      const reply = localReply(config.status, 'request_rate_limited', {
        flag: 'RL',
        headers: { 'retry-after': retryAfter(decision.msBeforeNext) },
      });
      const applied = exchange.get(appliedLimit);
      if (applied !== undefined) setLimitHeaders(reply.headers, applied);
      return reply;
    }

    const tellLimit: Pick<FilterHooks, 'onResponse'> = config.rate_limit_headers
      ? {
          onResponse(response, exchange) {
            const applied = exchange.get(appliedLimit);
            if (applied !== undefined) setLimitHeaders(response.headers, applied);
          },
        }
      : {};

    if (redisConfig === undefined) {
      const { take } = memory!;
      return {
        ...tellLimit,
        onRequest: (request, exchange) => judge(take(keyOf(request, exchange)), exchange),
        close: () => memory!.close(),
      };
    }

    const redis = await redisLimiter(redisConfig, bucket, context);
    const health = new StoreHealth(context.log, context.clock, consequences[config.on_store_failure]);
    await redis.connect();
    // Not a fault of the configuration: Redis may come up later, and until then on_store_failure says what happens.
    if (redis.fault !== undefined) health.failed(redis.fault);

    function withoutStore(key: string, exchange: Exchange): void | LocalReply {
      if (memory !== undefined) return judge(memory.take(key), exchange);
      if (config.on_store_failure === 'allow') return;
      return localReply(503, 'rate_limit_store_failed', { flag: 'RLSE', headers: { 'retry-after': '1' } });
    }

    return {
      ...tellLimit,
      async onRequest(request, exchange) {
        const key = keyOf(request, exchange);
        let decision: RateLimiterRes;
        try {
          decision = await redis.take(key);
        } catch (error) {
          stats.store_failures.add();
          health.failed((error as Error).message);
          return withoutStore(key, exchange);
        }
        health.answered();
        return judge(decision, exchange);
      },
      close() {
        redis.close();
        memory?.close();
      },
    };
  },
});

type Context = FilterContext<{ keys: { type: 'gauge'; doc: string }; evicted: string }>;

const consequences: Record<RateLimitConfig['on_store_failure'], string> = {
  allow: 'requests pass unlimited',
  deny: 'requests are refused',
  local: 'each instance limits by itself',
};

/** The libraries of a store are loaded when a configuration uses it: they take 25 ms each. */
async function memoryLimiter(
  bucket: TokenBucket,
  maxKeys: number,
  { clock, stats, timers, peers }: Pick<Context, 'clock' | 'stats' | 'timers' | 'peers'>,
): Promise<{ take(this: void, key: string): RateLimiterRes; close(): void }> {
  const { MemoryLimiter } = await import('./rate-limit/memory-limiter.ts');
  const table = new BucketTable(maxKeys, randomInt(2 ** 32));
  let keys = 0;
  let evicted = 0;
  // Filters with the same id share their metrics, so each adds its own changes.
  function publish(now: { keys: number; evicted: number }): void {
    stats.keys.add(now.keys - keys);
    if (now.evicted > evicted) stats.evicted.add(now.evicted - evicted);
    ({ keys, evicted } = now);
  }
  timers.every(1000, () => {
    table.sweep(clock.monotonic(), 0.1);
    publish({ keys: table.size, evicted: table.evicted });
  });
  const limiter = new MemoryLimiter(bucket, table, () => clock.monotonic());
  if (peers === undefined) {
    return { take: (key) => limiter.take(key), close: () => publish({ keys: 0, evicted: table.evicted }) };
  }
  const { SharedTakes } = await import('./rate-limit/shared-takes.ts');
  const shared = new SharedTakes(peers, timers, (key, tokens) => limiter.takenElsewhere(key, tokens));
  return {
    take(ownKey) {
      const key = SharedTakes.keyOf(ownKey);
      const decision = limiter.take(key);
      if (decision.consumedPoints <= bucket.maxTokens) shared.took(key);
      return decision;
    },
    close() {
      shared.close();
      publish({ keys: 0, evicted: table.evicted });
    },
  };
}

async function redisLimiter(
  config: RedisConfig,
  bucket: TokenBucket,
  { id, route, resolvePath }: Pick<Context, 'id' | 'route' | 'resolvePath'>,
): Promise<RedisLimiter> {
  const [{ RedisLimiter }, { redisOptions }] = await Promise.all([
    import('./rate-limit/redis-limiter.ts'),
    import('./rate-limit/redis-options.ts'),
  ]);
  const ca = config.trusted_ca === undefined ? undefined : await readFile(resolvePath(config.trusted_ca), 'utf8');
  return new RedisLimiter({
    bucket,
    connection: redisOptions(config, ca),
    keyPrefix: config.key_prefix,
    scope: route === undefined ? id : `${id}/${route}`,
    timeout: config.timeout,
  });
}

/** Of several limits on one request, the client is told the one it will meet first. */
function remember(decision: RateLimiterRes, bucket: TokenBucket, exchange: Exchange): void {
  const before = exchange.get(appliedLimit);
  if (before !== undefined && before.remaining < decision.remainingPoints) return;
  exchange.set(appliedLimit, {
    limit: bucket.maxTokens,
    remaining: decision.remainingPoints,
    untilMore: decision.msBeforeNext,
  });
}
