import { note, type Headers } from 'portico';

/** What a client is told of its limit. */
export interface LimitFacts {
  readonly limit: number;
  readonly remaining: number;
  /** Milliseconds until there is one more token. */
  readonly untilMore: number;
}

/** The tightest limit that was applied to the exchange, by whichever rate-limit filter. */
export const appliedLimit = note<LimitFacts>('rate_limit');

/**
 * `RateLimit-*` of draft-ietf-httpapi-ratelimit-headers-03, which clients know; its later versions have other fields.
 * As in Envoy, Reset is when the next token comes, the same moment as that of Retry-After (§3.3 of the draft).
 */
export function setLimitHeaders(headers: Headers, { limit, remaining, untilMore }: LimitFacts): void {
  headers.set('RateLimit-Limit', String(limit));
  headers.set('RateLimit-Remaining', String(remaining));
  headers.set('RateLimit-Reset', String(wholeSeconds(untilMore)));
}

/** Seconds of `Retry-After` (RFC 9110 §10.2.3): rounded up and at least 1, so nobody comes back too early. */
export function retryAfter(milliseconds: number): string {
  return String(Math.max(1, wholeSeconds(milliseconds)));
}

/** Rounded up, but for the rounding errors of the arithmetic. */
function wholeSeconds(milliseconds: number): number {
  return Math.max(0, Math.ceil(milliseconds / 1000 - 1e-6));
}
