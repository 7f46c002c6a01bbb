import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../filter/define-filter.ts';
import type { LogRecord } from '../record.ts';
import { backoff } from './backoff.ts';
import type { DeliveryConfig } from './config.ts';
import type { DeadLetter, DeadLetterFile } from './dead-letter-file.ts';
import type { DeliveryStats } from './delivery-stats.ts';
import type { Outcome, Output, Prepared, RetryCause } from './outcome.ts';
import type { SeldomLog } from './seldom-log.ts';

/** How often a batch is halved to find what a store refuses in it; beyond that, all of the rest is put aside. */
const mostHalvings = 64;

export interface CourierOptions {
  readonly output: Output;
  readonly deadLetters: DeadLetterFile;
  readonly retry: DeliveryConfig['retry'];
  readonly clock: Clock;
  readonly random: () => number;
  readonly stats: DeliveryStats;
  readonly log: SeldomLog;
}

/** What is known of the last attempts, for the admin. */
export interface CourierView {
  readonly last_delivery: string | null;
  readonly last_failure: { readonly time: string; readonly cause: string; readonly reason: string } | null;
}

interface Journey {
  /** Clock reading at which the batch was first sent. */
  readonly began: number;
  halvings: number;
}

/** Brings a batch to the store, however long it takes: tries again, in parts where that helps, and puts aside what is refused. */
export class Courier {
  readonly #options: CourierOptions;
  #lastDelivery: number | undefined;
  #lastFailure: { readonly time: number; readonly cause: string; readonly reason: string } | undefined;

  constructor(options: CourierOptions) {
    this.#options = options;
  }

  /** Resolves when each record is in the store or in the dead-letter file. @throws the signal's reason, nothing else */
  async deliver(records: readonly LogRecord[], signal: AbortSignal): Promise<void> {
    const journey: Journey = { began: this.#options.clock.monotonic(), halvings: 0 };
    this.#options.stats.batches.add();
    // A stack, first half on top: parts go in the order of their records.
    const parts: (readonly LogRecord[])[] = [records];
    for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
      parts.push(...(await this.#deliverPart(part, journey, signal)).reverse());
    }
  }

  show(): CourierView {
    const shown = (time: number) => new Date(time).toISOString();
    return {
      last_delivery: this.#lastDelivery === undefined ? null : shown(this.#lastDelivery),
      last_failure:
        this.#lastFailure === undefined ? null : { ...this.#lastFailure, time: shown(this.#lastFailure.time) },
    };
  }

  /** Gives back the halves, when the part has to be halved. */
  async #deliverPart(
    part: readonly LogRecord[],
    journey: Journey,
    signal: AbortSignal,
  ): Promise<(readonly LogRecord[])[]> {
    let pending = part;
    let prepared: Prepared | undefined;
    for (let failures = 1; ; failures++) {
      signal.throwIfAborted();
      if (prepared === undefined) {
        try {
          prepared = await this.#options.output.prepare(pending);
        } catch (error) {
          return this.#halve(pending, `cannot be written: ${(error as Error).message}`, true, journey, signal);
        }
      }
      const outcome = await this.#attempt(prepared, signal);
      if (outcome.kind === 'split' || outcome.kind === 'refused') {
        return this.#halve(pending, outcome.reason, outcome.kind === 'refused', journey, signal);
      }
      let retryAfter = 0;
      if (outcome.kind === 'settled') {
        const rest = await this.#settle(pending, outcome, signal);
        if (rest.length === 0) return [];
        // Some got through: the store is alive, and the pause need not grow.
        if (rest.length < pending.length) failures = 1;
        if (rest.length < pending.length) prepared = undefined;
        pending = rest;
      } else {
        retryAfter = outcome.retryAfter ?? 0;
      }
      const pause = backoff(failures, this.#pauses(), this.#options.random(), retryAfter);
      if (this.#isTooLate(journey, pause)) {
        await this.#putAside(pending, `given up: ${outcome.reason}`, signal);
        return [];
      }
      this.#options.stats.retry(pending.length);
      await sleep(pause, undefined, { signal });
    }
  }

  async #attempt(batch: Prepared, signal: AbortSignal): Promise<Outcome> {
    const { output, stats, clock } = this.#options;
    stats.rawBytes.add(batch.raw);
    stats.sentBytes.add(batch.body.byteLength);
    const outcome = await output.send(batch, signal).catch((error: unknown): Outcome => {
      signal.throwIfAborted();
      // A mistake of ours in reading an answer must cost patience, not records.
      return { kind: 'retry', cause: 'unclear', reason: String(error) };
    });
    const failed = causeOf(outcome);
    stats.attempt(failed ?? 'delivered');
    if (failed === undefined) {
      this.#lastDelivery = clock.now();
    } else {
      this.#lastFailure = { time: clock.now(), cause: failed, reason: reasonOf(outcome) };
      this.#tell(outcome);
    }
    return outcome;
  }

  /** Counts what is delivered, puts aside what is refused, and gives what is to be sent again. */
  async #settle(
    records: readonly LogRecord[],
    { rejected, again }: Extract<Outcome, { kind: 'settled' }>,
    signal: AbortSignal,
  ): Promise<readonly LogRecord[]> {
    if (rejected.length > 0) {
      await this.#options.deadLetters.put(
        rejected.map(({ at, reason }) => ({ record: records[at]!, reason })),
        signal,
      );
    }
    this.#options.stats.deliver(records.length - rejected.length - again.length);
    return again.length === records.length ? records : again.map((at) => records[at]!);
  }

  async #halve(
    records: readonly LogRecord[],
    reason: string,
    counts: boolean,
    journey: Journey,
    signal: AbortSignal,
  ): Promise<(readonly LogRecord[])[]> {
    if (records.length <= 1 || (counts && ++journey.halvings > mostHalvings)) {
      await this.#putAside(records, reason, signal);
      return [];
    }
    const middle = records.length >> 1;
    return [records.slice(0, middle), records.slice(middle)];
  }

  #putAside(records: readonly LogRecord[], reason: string, signal: AbortSignal): Promise<void> {
    const letters: DeadLetter[] = records.map((record) => ({ record, reason }));
    return this.#options.deadLetters.put(letters, signal);
  }

  #isTooLate({ began }: Journey, pause: number): boolean {
    const { give_up_after: patience } = this.#options.retry;
    return patience > 0 && this.#options.clock.monotonic() + pause - began > patience;
  }

  #pauses(): { base: number; max: number } {
    const { base_interval: base, max_interval: max } = this.#options.retry;
    return { base, max };
  }

  #tell(outcome: Outcome): void {
    const { log } = this.#options;
    const fields = { reason: reasonOf(outcome) };
    if (outcome.kind === 'retry')
      log.say(told[outcome.cause].level, outcome.cause, told[outcome.cause].message, fields);
    else if (outcome.kind === 'settled' && outcome.again.length > 0) {
      log.say('warn', 'partial', 'the store took a part of a batch; the rest is sent again', {
        ...fields,
        records: outcome.again.length,
      });
    }
  }
}

const told: Record<RetryCause, { readonly level: 'warn' | 'error'; readonly message: string }> = {
  busy: { level: 'warn', message: 'the store is busy or ill; the batch is sent again' },
  unreachable: { level: 'warn', message: 'the store cannot be reached; the batch is sent again' },
  timeout: { level: 'warn', message: 'the store did not answer in time; the batch is sent again' },
  unclear: { level: 'warn', message: 'the answer of the store makes no sense; the batch is sent again' },
  credentials: { level: 'error', message: 'the store does not accept the credentials, or they cannot be read' },
  misconfigured: { level: 'error', message: 'the store does not take batches at this URL; look at the endpoints' },
};

/** undefined when all is well: delivered, or put aside for good. */
function causeOf(outcome: Outcome): string | undefined {
  if (outcome.kind === 'retry') return outcome.cause;
  if (outcome.kind === 'split') return 'too_large';
  if (outcome.kind === 'refused') return 'refused';
  return outcome.again.length > 0 || outcome.rejected.length > 0 ? 'partial' : undefined;
}

function reasonOf(outcome: Outcome): string {
  return outcome.kind === 'settled' ? outcome.reason || (outcome.rejected[0]?.reason ?? '') : outcome.reason;
}
