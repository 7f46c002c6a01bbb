export interface BackoffOptions {
  /** Milliseconds. */
  readonly base: number;
  readonly max: number;
}

/** Longest pause that a store can ask for, in milliseconds. */
export const mostRetryAfter = 300_000;

/**
 * Milliseconds to wait after so many failures in a row (1 is the first): full jitter, so that a thousand pods do not come back
 * together (Brooker, Exponential Backoff And Jitter, 2015). What the store asks for is waited at least, up to five minutes.
 */
export function backoff(failures: number, { base, max }: BackoffOptions, random: number, retryAfter = 0): number {
  const ceiling = Math.min(max, base * 2 ** Math.min(failures - 1, 30));
  return Math.min(retryAfter, mostRetryAfter) + Math.round(random * ceiling);
}

/** Milliseconds asked for by `Retry-After` (RFC 9110 §10.2.3): seconds or a date; undefined when it is neither. */
export function parseRetryAfter(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  const trimmed = text.trim();
  if (/^\d{1,9}$/.test(trimmed)) return Number(trimmed) * 1000;
  if (!/^[A-Z][a-z]{2}/.test(trimmed)) return undefined;
  const date = Date.parse(trimmed);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
