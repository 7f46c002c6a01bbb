import type { ProcessLog } from '../process-log.ts';
import type { Stats } from '../stats/index.ts';
import { started } from '../started.ts';
import { surviveErrors } from '../survive-errors.ts';

/** Something that runs until it is told to stop. */
export interface Running {
  readonly log: ProcessLog;
  readonly stats: Stats;
  /** Resolves with the exit code when it has drained, whoever asked for it. */
  readonly stopped: Promise<number>;
  reload(reason: string): Promise<unknown>;
  /** Resolves with the exit code. */
  drain(): Promise<number>;
  stop(): Promise<void>;
}

/**
 * Waits for SIGTERM or SIGINT, drains, and answers the exit code; a second signal exits at once. It also waits for whoever
 * drains the server otherwise. With `reloads`, SIGHUP reloads the configuration.
 * Errors that nobody caught are a filter's doing, since everything else answers for its own: they are logged and counted, and
 * the exchanges of everybody else go on.
 */
export function untilSignalled(
  server: Running,
  options: { hurried?: boolean; reloads?: boolean; v8Flags?: readonly string[] | undefined } = {},
): Promise<number> {
  started(options.v8Flags);
  const report = surviveErrors(server);
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
