import type { MetricsConfig } from './config.ts';
import type { FamilySource, FamilySourceDeps } from './family-source.ts';
import type { HealthSource } from './health/index.ts';

export interface Sources {
  readonly all: readonly FamilySource[];
  /** Whose required checks decide whether the sidecar is ready. */
  readonly health: HealthSource | undefined;
}

/** Each is loaded only when it is configured. */
export async function buildSources(config: MetricsConfig, deps: FamilySourceDeps): Promise<Sources> {
  const { health, process, pressure, derived } = config;
  const healthSource =
    health === undefined ? undefined : (await import('./health/index.ts')).createHealthSource(health, deps);
  const all: FamilySource[] = [];
  if (process !== undefined) all.push((await import('./process/index.ts')).createProcessSource(process, deps));
  if (pressure !== undefined) all.push((await import('./pressure/index.ts')).createPressureSource(pressure, deps));
  if (derived !== undefined) all.push((await import('./derived/index.ts')).createDerivedSource(derived, deps));
  return { all: healthSource === undefined ? all : [healthSource, ...all], health: healthSource };
}
