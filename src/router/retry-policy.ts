import { isIdempotent, type UpstreamError } from '../http/index.ts';
import type { RetryCondition, RetryPolicyConfig } from './retry-config.ts';

/** When a failed try is followed by another one. */
export interface RetryPolicy {
  readonly retries: number;
  readonly on: ReadonlySet<RetryCondition>;
  readonly statuses: ReadonlySet<number>;
  /** Also where the app may have seen a request whose repetition has an effect of its own. */
  readonly nonIdempotent: boolean;
  /** Milliseconds. */
  readonly baseInterval: number;
  readonly maxInterval: number;
  /** Milliseconds; an answer that asks for a longer wait is passed on. 0: what answers ask for does not matter. */
  readonly longestRetryAfter: number;
  /** A try that takes too long goes on beside the next one. */
  readonly hedge: boolean;
  /** A connection that ended without a response is tried again, whatever `on` says. */
  readonly lostConnections: boolean;
}

export type RetryDecision =
  { readonly retry: true; readonly wait: number } | { readonly retry: false; readonly reason: RetryRefusal };

/** `settled`: nothing that the policy would try again. */
export type RetryRefusal =
  'settled' | 'not_idempotent' | 'retry_limit' | 'retry_abandoned_body_too_large' | 'retry_after_too_late';

/** What is known when a try is over. */
export interface TryResult {
  /** Number of the try that is over, from 1. */
  readonly attempt: number;
  /** The failure, or the status of the response. */
  readonly outcome: UpstreamError | number;
  readonly method: string;
  /** The whole request body can be sent again. */
  readonly replayable: boolean;
  /** From 0 to below 1. */
  readonly random: number;
  /** Milliseconds that the answer asks to wait, if it does. */
  readonly retryAfter?: number | undefined;
  /** Milliseconds until nobody waits any more. Default: for ever. */
  readonly left?: number;
}

export function compileRetryPolicy(config: RetryPolicyConfig): RetryPolicy {
  const { base_interval, max_interval } = config.retry_back_off;
  return {
    retries: config.num_retries,
    on: new Set(config.retry_on),
    statuses: new Set(config.retry_on.flatMap((condition) => statusesOf(condition, config))),
    nonIdempotent: config.retry_non_idempotent,
    baseInterval: base_interval,
    maxInterval: max_interval ?? 10 * base_interval,
    longestRetryAfter: config.rate_limited_retry_back_off.max_interval,
    hedge: config.hedge_on_per_try_timeout,
    lostConnections: true,
  };
}

/** For tunnels: there is no second try once bytes may have reached the app. */
export function tunnelRetryPolicy(policy: RetryPolicy): RetryPolicy {
  const on = new Set<RetryCondition>(policy.on.has('connect-failure') ? ['connect-failure'] : []);
  return { ...policy, on, statuses: new Set(), nonIdempotent: false, hedge: false, lostConnections: false };
}

function statusesOf(condition: RetryCondition, config: RetryPolicyConfig): number[] {
  switch (condition) {
    case 'gateway-error':
      return [502, 503, 504];
    case '5xx':
      return Array.from({ length: 100 }, (_, at) => 500 + at);
    case 'retriable-4xx':
      return [409];
    case 'retriable-status-codes':
      return config.retriable_status_codes;
    default:
      return [];
  }
}

/** Whether another try follows, and after how many milliseconds. Pure. */
export function decideRetry(
  policy: RetryPolicy,
  { attempt, outcome, method, replayable, random, retryAfter, left = Infinity }: TryResult,
): RetryDecision {
  if (policy.retries === 0 || !isRetriable(policy, outcome)) return no('settled');
  const untouched = typeof outcome !== 'number' && outcome.untouched;
  // RFC 9110 §9.2.2: a proxy must not repeat requests by itself whose repetition could do something twice.
  if (!untouched && !isIdempotent(method) && !policy.nonIdempotent) return no('not_idempotent');
  if (attempt > policy.retries) return no('retry_limit');
  if (!replayable) return no('retry_abandoned_body_too_large');
  if (typeof outcome !== 'number' && isStaleConnection(outcome)) return { retry: true, wait: 0 };
  if (retryAfter === undefined || policy.longestRetryAfter === 0) {
    return { retry: true, wait: backOff(policy, attempt, random) };
  }
  // Not before it was asked for, and not all at once (Envoy: from the interval to one and a half of it).
  const wait = Math.min(retryAfter * (1 + random / 2), Math.max(retryAfter, left - 1));
  if (retryAfter > policy.longestRetryAfter || wait >= left) return no('retry_after_too_late');
  return { retry: true, wait };
}

/** Whether a try that takes too long may have company. */
export function mayHedge(policy: RetryPolicy, method: string): boolean {
  return policy.hedge && policy.retries > 0 && (policy.nonIdempotent || isIdempotent(method));
}

function no(reason: RetryRefusal): RetryDecision {
  return { retry: false, reason };
}

/**
 * Exponential back-off with full jitter: a random part of an interval that doubles from retry to retry
 * (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
 * @param retry number of the retry that is waited for, from 1
 * @returns milliseconds
 */
export function backOff(
  policy: Pick<RetryPolicy, 'baseInterval' | 'maxInterval'>,
  retry: number,
  random: number,
): number {
  return random * Math.min(policy.baseInterval * 2 ** (retry - 1), policy.maxInterval);
}

function isRetriable(policy: RetryPolicy, outcome: UpstreamError | number): boolean {
  if (typeof outcome === 'number') return policy.statuses.has(outcome);
  // Whoever says when to come again does not want it now: the request has waited for the app already.
  if (outcome.retryAfter !== undefined) return false;
  // Trying again would make an overload worse, and finds no endpoint where there was none a moment ago.
  if (outcome.flag === 'UO' || outcome.flag === 'UH' || outcome.flag === 'NC' || outcome.flag === 'DC') return false;
  const { on } = policy;
  if (on.has('reset') || on.has('gateway-error') || on.has('5xx')) return true;
  const connectFailed = outcome.flag === 'UF' || outcome.flag === 'DF';
  if (on.has('connect-failure') && (connectFailed || outcome.untouched)) return true;
  if (on.has('refused-stream') && outcome.untouched && !connectFailed) return true;
  if (on.has('reset-before-request') && outcome.untouched) return true;
  return policy.lostConnections && outcome.flag === 'UC';
}

/**
 * The keep-alive race: the app closed an idle connection just when a request was written to it. Nothing is wrong with the
 * app then, so there is nothing to wait for and no reason to avoid the endpoint.
 */
export function isStaleConnection(error: UpstreamError): boolean {
  return error.flag === 'UC' && error.details.endsWith('{reused}');
}
