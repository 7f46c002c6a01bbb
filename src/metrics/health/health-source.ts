import type { FamilySource, FamilySourceDeps } from '../family-source.ts';
import { ownFamily } from '../own-family.ts';
import type { CheckConfig, HealthConfig } from './config.ts';
import { grpcProbe } from './grpc-probe.ts';
import { HealthCheck } from './health-check.ts';
import { httpProbe } from './http-probe.ts';
import type { Probe } from './probe.ts';
import { tcpProbe } from './tcp-probe.ts';

export interface HealthSource extends FamilySource {
  /** Whether all checks that are `required` are healthy; true when there are none. */
  ready(): boolean;
}

/** Checks the health of the app; the checks begin at once. */
export function createHealthSource(
  config: HealthConfig,
  deps: Pick<FamilySourceDeps, 'log' | 'clock' | 'random'>,
): HealthSource {
  const checks = config.checks.map((check) => new HealthCheck(check, probeOf(check), deps));
  const known = () => checks.filter(({ health }) => health !== 'unknown');
  const label = ({ name }: HealthCheck) => ['check', name];
  return {
    name: 'health',
    ready: () => checks.every(({ required, health }) => !required || health === 'healthy'),
    families: () => [
      ownFamily(
        'gauge',
        'portico_app_health_status',
        'Whether the app is healthy; missing until it is known.',
        known().map((check) => [label(check), check.health === 'healthy' ? 1 : 0]),
      ),
      ownFamily(
        'counter',
        'portico_app_health_checks_total',
        'Checks that are over.',
        checks.map((check) => [label(check), check.probes]),
      ),
      ownFamily(
        'counter',
        'portico_app_health_failures_total',
        'Checks that failed, by reason.',
        checks.flatMap((check) =>
          Array.from(check.failures, ([reason, count]) => [[...label(check), 'reason', reason], count] as const),
        ),
      ),
      ownFamily(
        'gauge',
        'portico_app_health_duration_seconds',
        'How long the last check took.',
        checks.flatMap((check) => (check.duration === undefined ? [] : [[label(check), check.duration] as const])),
      ),
    ],
    async close() {
      for (const check of checks) check.close();
    },
  };
}

function probeOf({ http, tcp, grpc }: CheckConfig): Probe {
  if (http !== undefined) return httpProbe(http);
  return tcp !== undefined ? tcpProbe(tcp.address) : grpcProbe(grpc!.address, grpc!.service);
}
