import type { SlowStartConfig } from './config.ts';

/**
 * The part of its weight that an endpoint gets (Envoy's formula).
 * @param age milliseconds since it is healthy
 * @returns above 0, up to 1
 */
export function slowStartFactor(age: number, config: SlowStartConfig): number {
  if (age >= config.window) return 1;
  const grown = (Math.max(1, age) / config.window) ** (1 / config.aggression);
  return Math.max(config.min_weight_percent / 100, grown);
}
