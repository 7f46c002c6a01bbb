/** What becomes of a push. `downgrade`: send it again in the older version. */
export type PushVerdict =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'retry'; readonly after: number | undefined; readonly reason: string }
  | { readonly kind: 'drop'; readonly reason: string }
  | { readonly kind: 'downgrade' };

export interface PushAnswer {
  readonly status: number;
  /** `Retry-After`: seconds or a date. */
  readonly retryAfter: string | undefined;
  /** `X-Prometheus-Remote-Write-Samples-Written`. */
  readonly written: string | undefined;
}

/**
 * 2xx is taken, 429 and 5xx may pass, anything else never will. 408 is a slow connection of ours. A receiver of 2.0 must say how much
 * it has written: one that does not is of 1.0, did not look at the content type, found no field that it knows and wrote nothing.
 * @param now milliseconds since 1970
 * @param mayDowngrade whether this was remote write 2.0
 */
export function judgeAnswer(
  { status, retryAfter, written }: PushAnswer,
  now: number,
  mayDowngrade: boolean,
): PushVerdict {
  const taken = status >= 200 && status < 300;
  if (mayDowngrade && (status === 415 || (taken && written === undefined))) return { kind: 'downgrade' };
  if (taken) return { kind: 'delivered' };
  const reason = `answered ${status}`;
  if (status === 429 || status === 408 || status >= 500)
    return { kind: 'retry', after: delay(retryAfter, now), reason };
  return { kind: 'drop', reason };
}

function delay(retryAfter: string | undefined, now: number): number | undefined {
  if (retryAfter === undefined) return undefined;
  if (/^\d{1,9}$/.test(retryAfter)) return Number(retryAfter) * 1000;
  const date = Date.parse(retryAfter);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** Milliseconds until the next attempt: doubled each time, half of it at random, never shorter than the receiver asks within bounds. */
export function pause(
  failures: number,
  after: number | undefined,
  { min_backoff: least, max_backoff: most }: { readonly min_backoff: number; readonly max_backoff: number },
  random: number,
): number {
  const backoff = Math.min(most, least * 2 ** Math.min(failures - 1, 30));
  return Math.max(backoff * (0.5 + random / 2), Math.min(after ?? 0, most));
}
