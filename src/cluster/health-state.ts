import type { HealthCheckConfig } from './config.ts';
import type { ProbeResult } from './health-probe/probe.ts';

/** What active health checks know of one endpoint. */
export interface HealthState {
  /** `pending` until the first check is over; like Envoy, that is not healthy. */
  readonly health: 'pending' | 'healthy' | 'unhealthy';
  /** Checks in a row that speak against it. */
  readonly against: number;
}

export const unchecked: HealthState = { health: 'pending', against: 0 };

/**
 * The state after one check, with Envoy's rules: the first success is enough, an unexpected status is enough, and all
 * else takes as many checks in a row as the thresholds say.
 */
export function afterCheck(
  state: HealthState,
  result: ProbeResult,
  config: Pick<HealthCheckConfig, 'healthy_threshold' | 'unhealthy_threshold'>,
): HealthState {
  if (result === 'good') {
    if (state.health !== 'unhealthy') return { health: 'healthy', against: 0 };
    const against = state.against + 1;
    return against >= config.healthy_threshold ? { health: 'healthy', against: 0 } : { health: 'unhealthy', against };
  }
  if (state.health === 'unhealthy') return { health: 'unhealthy', against: 0 };
  const against = state.against + 1;
  const fell = result === 'bad' || against >= config.unhealthy_threshold || state.health === 'pending';
  return fell ? { health: 'unhealthy', against: 0 } : { health: state.health, against };
}
