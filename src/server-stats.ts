import type { ListenerView } from './admin/index.ts';
import { configStats, type ConfigStats } from './config/config-stats.ts';
import type { Stats } from './stats/index.ts';

export interface ServerStats extends ConfigStats {
  certificatesReloaded(listener: string): void;
  certificatesFailed(listener: string): void;
}

/** Metrics of the configuration in force and of the certificates that are shown. */
export function serverStats(stats: Stats, now: { hash(): string; listeners(): readonly ListenerView[] }): ServerStats {
  const certificates = stats.counter(
    'portico_listener_certificate_reloads_total',
    'Times that certificates were replaced while running.',
    ['listener'],
    'max',
  );
  const badCertificates = stats.counter(
    'portico_listener_certificate_reload_failures_total',
    'Times that new certificates could not be used and the old ones stayed.',
    ['listener'],
    'max',
  );
  stats.observed(
    'portico_listener_certificate_expiry_timestamp_seconds',
    'When each certificate ends, in seconds since 1970; the name is the first that it is good for.',
    ['listener', 'name'],
    () =>
      now
        .listeners()
        .flatMap(({ name: listener, tls }) =>
          (tls?.certificates ?? []).map(
            ({ names, not_after }) =>
              [{ listener, name: names[0] ?? '' }, Date.parse(not_after) / 1000] as [
                { listener: string; name: string },
                number,
              ],
          ),
        ),
    'min',
  );
  return {
    ...configStats(stats, () => now.hash()),
    certificatesReloaded: (listener) => certificates.with({ listener }).add(),
    certificatesFailed: (listener) => badCertificates.with({ listener }).add(),
  };
}
