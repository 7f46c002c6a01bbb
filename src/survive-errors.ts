import type { ProcessLog } from './process-log.ts';
import type { Stats } from './stats/index.ts';

/** Errors that nobody caught are logged and counted, and the process goes on. Answers what reports one. */
export function surviveErrors({ stats, log }: { stats: Stats; log: ProcessLog }): (error: unknown) => void {
  const stray = stats
    .counter('portico_uncaught_errors_total', 'Errors that nobody caught, such as those in stray callbacks of filters.')
    .with({});
  const report = (error: unknown) => {
    stray.add();
    log.error('uncaught error', { error });
  };
  process.on('uncaughtException', report);
  process.on('unhandledRejection', report);
  return report;
}
