import type { ProcessLog } from '../process-log.ts';
import type { ScrapeResult } from './scrape/target.ts';

/** Tells the process log when something changes: a line per scrape would say nothing. */
export class ScrapeLog {
  readonly #log: ProcessLog;
  /** What was told of each target. */
  readonly #told = new Map<string, { failure: string | undefined; fault: string | undefined }>();

  constructor(log: ProcessLog) {
    this.#log = log;
  }

  scraped({ target, refused, invalidLines, firstFault, samplesKept }: ScrapeResult): void {
    const before = this.#told.get(target);
    const now = { failure: refused?.failure, fault: refused === undefined ? firstFault?.reason : before?.fault };
    this.#told.set(target, now);
    if (refused !== undefined && before?.failure !== refused.failure) {
      this.#log.warn('a target cannot be scraped', {
        target,
        reason: refused.failure,
        error: refused.message,
        cause: causeOf(refused),
      });
    } else if (refused === undefined && before?.failure !== undefined) {
      this.#log.info('a target can be scraped again', { target, samples: samplesKept });
    }
    if (firstFault !== undefined && before?.fault !== firstFault.reason) {
      this.#log.warn('a target sends lines that cannot be read; they are left out', {
        target,
        lines: invalidLines,
        first: firstFault.message,
      });
    }
  }
}

function causeOf({ failure, cause }: NonNullable<ScrapeResult['refused']>): unknown {
  return failure === 'internal' ? cause : undefined;
}
