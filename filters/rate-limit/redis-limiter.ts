import { hash } from 'node:crypto';
import { Redis } from 'ioredis';
import { RateLimiterRedis, RateLimiterRes, RLWrapperTimeouts } from 'rate-limiter-flexible';
import type { LimiterConnection } from './redis-options.ts';
import { tokenBucketScript } from './redis-script.ts';
import type { TokenBucket } from './token-bucket.ts';

export interface RedisLimiterOptions {
  readonly bucket: TokenBucket;
  /** From redisOptions(). */
  readonly connection: LimiterConnection;
  readonly keyPrefix: string;
  /** Separates the buckets of filters and routes from each other; the same in every instance. */
  readonly scope: string;
  /** Milliseconds for one decision. */
  readonly timeout: number;
}

/**
 * Decides in Redis, with the library's RateLimiterRedis: its keys, its script loading (EVALSHA, EVAL when Redis has forgotten
 * the script), its refusal to wait for a connection that is down, its deadline. Only the script is ours; the library's own
 * counts in fixed windows. Its `inMemoryBlockOnConsumed` stays off: it follows the wall clock and walks through all blocked
 * keys on every new one.
 */
export class RedisLimiter {
  readonly #client: Redis;
  readonly #limiter: RLWrapperTimeouts;
  readonly #scope: string;
  #connectionFault: string | undefined;

  constructor({ bucket, connection, keyPrefix, scope, timeout }: RedisLimiterOptions) {
    this.#scope = scope;
    this.#client = new Redis(connection);
    this.#client.on('error', (error: unknown) => (this.#connectionFault = faultOf(error)));
    this.#client.on('ready', () => (this.#connectionFault = undefined));
    const limiter = new RateLimiterRedis({
      storeClient: this.#client,
      keyPrefix,
      points: bucket.maxTokens,
      // The script keeps its own time. The library sends scripts for whole seconds only, so there must be at least one.
      duration: Math.max(1, Math.ceil(bucket.burst / 1000)),
      customIncrTtlLuaScript: tokenBucketScript(bucket),
      rejectIfRedisNotReady: true,
    });
    this.#limiter = new RLWrapperTimeouts({ limiter, timeoutMs: timeout });
  }

  /** Resolves when the first attempt to connect has succeeded or failed; later ones go on by themselves. */
  async connect(): Promise<void> {
    await this.#client.connect().catch(() => undefined);
  }

  /** Why there is no connection, if there is none. */
  get fault(): string | undefined {
    return this.#client.status === 'ready' ? undefined : (this.#connectionFault ?? 'not connected');
  }

  /**
   * Takes a token. There was none if `consumedPoints` is more than the bucket's `maxTokens`.
   * @throws Error when Redis gave no decision in time; its message has no secrets
   */
  async take(key: string): Promise<RateLimiterRes> {
    try {
      return await this.#limiter.consume(this.#keyOf(key));
    } catch (rejected) {
      // The library rejects with a decision when it is no.
      if (rejected instanceof RateLimiterRes) return rejected;
      throw new Error(this.fault ?? faultOf(rejected));
    }
  }

  close(): void {
    this.#client.disconnect();
    // A Redis that hangs would keep the half-closed socket, and with it the process, for seconds.
    this.#client.stream?.destroy();
  }

  /**
   * Hashed to 128 bits: of bounded length, and neither API keys nor addresses of clients lie in Redis. In braces, which in
   * a Redis Cluster name the part that chooses the node.
   */
  #keyOf(key: string): string {
    return `{${this.#scope}:${hash('sha256', key, 'base64url').slice(0, 22)}}`;
  }
}

/** ioredis' errors hold the command with its arguments, which may be a password: only the message leaves. */
function faultOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Refused on all addresses of a name, Node's error has a code and no message.
  return error.message || (error as NodeJS.ErrnoException).code || error.name;
}
