import type { CheckConfig } from './config.ts';

/** `unknown` until the first probe is over. */
export type Health = 'unknown' | 'healthy' | 'unhealthy';

export interface Verdict {
  readonly health: Health;
  /** Results in a row that speak against `health`. */
  readonly against: number;
}

export const noVerdict: Verdict = { health: 'unknown', against: 0 };

/** The verdict after one more result. An app is healthy at its first success, and unhealthy when it had its chances. */
export function judgeResult(
  { health, against }: Verdict,
  success: boolean,
  thresholds: Pick<CheckConfig, 'healthy_threshold' | 'unhealthy_threshold'>,
): Verdict {
  if (success && health === 'unknown') return { health: 'healthy', against: 0 };
  if ((success && health === 'healthy') || (!success && health === 'unhealthy')) return { health, against: 0 };
  const needed = success ? thresholds.healthy_threshold : thresholds.unhealthy_threshold;
  if (against + 1 < needed) return { health, against: against + 1 };
  return { health: success ? 'healthy' : 'unhealthy', against: 0 };
}
