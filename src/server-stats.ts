import type { ListenerView } from './admin/index.ts';
import type { Stats } from './stats/index.ts';

export interface ServerStats {
  reloaded(): void;
  reloadFailed(): void;
  certificatesReloaded(listener: string): void;
  certificatesFailed(listener: string): void;
}

/** Metrics of the configuration in force and of the certificates that are shown. */
export function serverStats(stats: Stats, now: { hash(): string; listeners(): readonly ListenerView[] }): ServerStats {
  const reloads = stats
    .counter('portico_config_reloads_total', 'Configurations applied while running.', [], 'first')
    .with({});
  const failures = stats
    .counter('portico_config_reload_failures_total', 'Configurations refused while running.', [], 'first')
    .with({});
  const success = stats
    .gauge(
      'portico_config_last_reload_success',
      '1 when the last reload was applied, or there was none; else 0.',
      [],
      'first',
    )
    .with({});
  const time = stats
    .gauge(
      'portico_config_last_reload_success_timestamp_seconds',
      'When the configuration in force was loaded.',
      [],
      'first',
    )
    .with({});
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
    'portico_config_info',
    'Always 1; the label is the SHA-256 of the file in force.',
    ['hash'],
    () => [[{ hash: now.hash() }, 1]],
    'first',
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
  success.set(1);
  time.set(Date.now() / 1000);
  return {
    reloaded() {
      reloads.add();
      success.set(1);
      time.set(Date.now() / 1000);
    },
    reloadFailed() {
      failures.add();
      success.set(0);
    },
    certificatesReloaded: (listener) => certificates.with({ listener }).add(),
    certificatesFailed: (listener) => badCertificates.with({ listener }).add(),
  };
}
