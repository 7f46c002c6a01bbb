import type { OutlierDetectionConfig } from './config.ts';

/** What is remembered of one endpoint. */
export interface OutlierState {
  /** Failures since the last success. */
  readonly consecutive: number;
  /** How long the next ejection is, in units of the base time: grows with each ejection, shrinks with each quiet interval. */
  readonly multiplier: number;
  /** Clock reading at which the running ejection ends; undefined when the endpoint is in. */
  readonly ejectedUntil: number | undefined;
}

export const noOutlier: OutlierState = { consecutive: 0, multiplier: 0, ejectedUntil: undefined };

/**
 * The state after one result, with Envoy's rules for consecutive 5xx; failures of the connection count as 5xx.
 * @param now milliseconds of a monotonic clock
 * @param others how many endpoints there are, and how many of them are ejected already
 */
export function afterResult(
  state: OutlierState,
  failed: boolean,
  now: number,
  others: { readonly total: number; readonly ejected: number },
  config: OutlierDetectionConfig,
): OutlierState {
  if (!failed) return state.consecutive === 0 ? state : { ...state, consecutive: 0 };
  const consecutive = state.consecutive + 1;
  if (consecutive < config.consecutive_5xx || state.ejectedUntil !== undefined) return { ...state, consecutive };
  if (!mayEject(others, config.max_ejection_percent)) return { ...state, consecutive: 0 };
  const multiplier = state.multiplier + 1;
  const length = Math.min(config.base_ejection_time * multiplier, config.max_ejection_time);
  return { consecutive: 0, multiplier, ejectedUntil: now + length };
}

/** The state at the end of an interval: an ejection that is over ends, a quiet endpoint is forgiven step by step. */
export function afterInterval(state: OutlierState, now: number): OutlierState {
  if (state.ejectedUntil !== undefined) {
    return now < state.ejectedUntil ? state : { ...state, consecutive: 0, ejectedUntil: undefined };
  }
  return state.multiplier === 0 ? state : { ...state, multiplier: state.multiplier - 1 };
}

/** One endpoint may always be ejected, if others are there to serve instead; more only within the limit. */
function mayEject({ total, ejected }: { total: number; ejected: number }, maxPercent: number): boolean {
  if (total < 2 || maxPercent === 0) return false;
  return ejected === 0 || ((ejected + 1) / total) * 100 <= maxPercent;
}
