/**
 * A token bucket, kept as one number: the time that it still needs to be full again, its **deficit**. Every token taken
 * adds `cost`, passing time takes away; the bucket is empty at `burst`. (The virtual scheduling form of the generic cell
 * rate algorithm, ITU-T I.371 annex A, which is the same automaton as the bucket.)
 *
 * Tokens flow in evenly, as in Envoy's AtomicTokenBucket and nginx's limit_req: with `tokens_per_fill` at once at the end of
 * each interval, a client could empty the bucket right before a fill and again right after it, as with a fixed window.
 * So over any time T at most max_tokens + T ÷ fill_interval × tokens_per_fill requests pass.
 */
export interface TokenBucket {
  readonly maxTokens: number;
  /** Milliseconds in which one token flows in. */
  readonly cost: number;
  /** Milliseconds in which an empty bucket becomes full. */
  readonly burst: number;
  /** Rounding errors must not refuse the last token of a full bucket: this much of a token is given on credit. */
  readonly slack: number;
}

/**
 * @param maxTokens at least 1
 * @param tokensPerFill at least 1
 * @param fillInterval milliseconds, more than 0
 */
export function tokenBucket(maxTokens: number, tokensPerFill: number, fillInterval: number): TokenBucket {
  const cost = fillInterval / tokensPerFill;
  return { maxTokens, cost, burst: maxTokens * cost, slack: Math.min(cost / 100, 0.5) };
}

/** May one more token be taken at this deficit? Taking it adds `cost`. */
export function holdsToken(bucket: TokenBucket, deficit: number): boolean {
  return deficit + bucket.cost <= bucket.burst + bucket.slack;
}

/** Whole tokens that are left. */
export function tokensLeft(bucket: TokenBucket, deficit: number): number {
  return Math.max(0, Math.floor((bucket.burst - deficit + bucket.slack) / bucket.cost));
}

/** Milliseconds until there is one whole token more than now; 0 for a full bucket. */
export function untilNextToken(bucket: TokenBucket, deficit: number): number {
  if (deficit <= 0) return 0;
  return Math.max(0, deficit - bucket.burst + (tokensLeft(bucket, deficit) + 1) * bucket.cost);
}
