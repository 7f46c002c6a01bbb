import { RateLimiterRes } from 'rate-limiter-flexible';
import type { BucketTable } from './bucket-table.ts';
import { holdsToken, tokensLeft, untilNextToken, type TokenBucket } from './token-bucket.ts';

/**
 * Decides in memory, at once and without a promise.
 *
 * The library's own RateLimiterMemory counts in fixed windows (twice the limit passes around the end of one), follows the
 * wall clock, holds a timer for each client and has no bound on clients; its BurstyRateLimiter is two such windows. So the
 * bucket is ours and the library gives the words: a decision is its RateLimiterRes, whichever store made it.
 */
export class MemoryLimiter {
  readonly #bucket: TokenBucket;
  readonly #table: BucketTable;
  readonly #monotonic: () => number;

  /** @param monotonic a clock in milliseconds that never jumps */
  constructor(bucket: TokenBucket, table: BucketTable, monotonic: () => number) {
    this.#bucket = bucket;
    this.#table = table;
    this.#monotonic = monotonic;
  }

  /** Somebody else has let so many requests pass. The bucket may come to owe tokens. */
  takenElsewhere(key: string, tokens: number): void {
    const table = this.#table;
    const now = this.#monotonic();
    const slot = table.find(key);
    const deficit = slot < 0 ? 0 : Math.max(0, table.fullAt(slot) - now);
    const fullAt = now + deficit + tokens * this.#bucket.cost;
    if (slot < 0) table.insert(fullAt, now);
    else table.update(slot, fullAt);
  }

  /** Takes a token. There was none if `consumedPoints` is more than the bucket's `maxTokens`. */
  take(key: string): RateLimiterRes {
    const bucket = this.#bucket;
    const table = this.#table;
    const now = this.#monotonic();
    const slot = table.find(key);
    const deficit = slot < 0 ? 0 : Math.max(0, table.fullAt(slot) - now);
    if (!holdsToken(bucket, deficit)) {
      return new RateLimiterRes(0, untilNextToken(bucket, deficit), bucket.maxTokens + 1, false);
    }
    const after = deficit + bucket.cost;
    if (slot < 0) table.insert(now + after, now);
    else table.update(slot, now + after);
    const left = tokensLeft(bucket, after);
    return new RateLimiterRes(left, untilNextToken(bucket, after), bucket.maxTokens - left, deficit === 0);
  }
}
