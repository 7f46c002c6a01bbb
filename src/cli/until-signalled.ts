import { flushCompileCache } from 'node:module';
import type { Server } from '../server.ts';

/**
 * Waits for SIGTERM or SIGINT, drains, and answers the exit code; a second signal exits at once. It also waits for whoever
 * drains the server otherwise. With `reloads`, SIGHUP reloads the configuration.
 * Errors that nobody caught are a filter's doing, since everything else answers for its own: they are logged and counted, and
 * the exchanges of everybody else go on.
 */
export function untilSignalled(
  server: Server,
  options: { hurried?: boolean; reloads?: boolean } = {},
): Promise<number> {
  // Now, because a process that is killed writes nothing.
  flushCompileCache();
  const stray = server.stats
    .counter('portico_uncaught_errors_total', 'Errors that nobody caught, such as those in stray callbacks of filters.')
    .with({});
  const report = (error: unknown) => {
    stray.add();
    server.log.error('uncaught error', { error });
  };
  process.on('uncaughtException', report);
  process.on('unhandledRejection', report);
  return new Promise((resolve) => {
    let signals = 0;
    void server.stopped.then(resolve);
    if (options.reloads === true) process.on('SIGHUP', () => void server.reload('SIGHUP'));
    const stop = (signal: NodeJS.Signals) => {
      signals++;
      if (signals > 1) {
        server.log.warn('stopping at once', { signal });
        server.log.flushNow();
        process.exit(1);
      }
      const ended = options.hurried === true ? server.stop().then(() => 0) : server.drain();
      ended.then(resolve, (error: unknown) => {
        report(error);
        resolve(1);
      });
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
  });
}
