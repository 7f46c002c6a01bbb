import type { Stats } from '../stats/index.ts';

export interface ConfigStats {
  reloaded(): void;
  reloadFailed(): void;
}

/** Metrics of the configuration in force. */
export function configStats(stats: Stats, hash: () => string): ConfigStats {
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
  stats.observed(
    'portico_config_info',
    'Always 1; the label is the SHA-256 of the file in force.',
    ['hash'],
    () => [[{ hash: hash() }, 1]],
    'first',
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
  };
}
