import type { Headers } from '../http/index.ts';

/**
 * What an answer says about when to come again (RFC 9110 §10.2.3).
 * @param now Unix time in milliseconds, for dates
 * @returns milliseconds from now, never negative; undefined when it says nothing that can be understood
 */
export function retryAfter(headers: Headers, now: number): number | undefined {
  const value = headers.get('retry-after')?.trim();
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  if (!/^[A-Z][a-z]{2}/.test(value)) return undefined;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
