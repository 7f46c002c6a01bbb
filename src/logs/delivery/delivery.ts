import type { Clock } from '../../filter/define-filter.ts';
import type { ProcessLog } from '../../process-log.ts';
import type { Stats } from '../../stats/index.ts';
import type { LogRecord } from '../record.ts';
import type { DeliveryConfig } from './config.ts';
import { Courier, type CourierView } from './courier.ts';
import { DeadLetterFile } from './dead-letter-file.ts';
import { DeliveryStats, observeLevels } from './delivery-stats.ts';
import type { OutputView } from './outcome.ts';
import { createOutput } from './outputs/index.ts';
import { SeldomLog } from './seldom-log.ts';
import { Sender } from './sender.ts';

export interface Delivery {
  /** Takes a record into its buffer. False: it is full and took it still; wait for `room()` before the next. */
  offer(record: LogRecord): boolean;
  /** Resolves when there is room again, or delivery is closed. */
  room(): Promise<void>;
  /** Sends what is buffered now, resolves when all offered so far is acknowledged or the signal aborts. */
  flush(signal: AbortSignal): Promise<void>;
  /** Ends all attempts. What is not acknowledged stays so. */
  close(): Promise<void>;
  /** Plain data for the admin, without secrets. */
  show(): DeliveryView;
}

export interface DeliveryView extends CourierView {
  readonly output: OutputView;
  readonly buffered: { readonly records: number; readonly bytes: number; readonly limit_bytes: number };
  readonly disk: DiskView | null;
  readonly oldest_ms: number;
  readonly records: {
    readonly delivered: number;
    readonly retried: number;
    readonly rejected: number;
    readonly dropped: number;
  };
  readonly dead_letter: { readonly path: string; readonly blocked: boolean } | null;
}

export interface DiskView {
  readonly path: string;
  readonly bytes: number;
  readonly limit_bytes: number;
  readonly segments: number;
  /** Records wait because it is full or cannot be written. */
  readonly blocked: boolean;
}

export interface DeliveryDeps {
  readonly log: ProcessLog;
  readonly stats: Stats;
  readonly clock: Clock;
  /** From 0 up to 1. */
  readonly random: () => number;
  /** The store, the dead-letter file or the disk buffer has these for good; those of a source in their order. */
  acknowledged(records: readonly LogRecord[]): void;
}

/** @throws Error when the disk buffer cannot be opened */
export async function createDelivery(config: DeliveryConfig, deps: DeliveryDeps): Promise<Delivery> {
  const { clock, random } = deps;
  const log = new SeldomLog(deps.log.child('delivery'), clock);
  const stats = new DeliveryStats(deps.stats);
  const output = createOutput(config, clock);
  const deadLetters = new DeadLetterFile(config.dead_letter, { clock, stats, log, random });
  const courier = new Courier({ output, deadLetters, retry: config.retry, clock, random, stats, log });
  const bufferBytes = config.buffer.kind === 'disk' ? config.buffer.memory_bytes : config.buffer.max_bytes;
  const makeSender = (bytes: number, delivered: (records: readonly LogRecord[]) => void) =>
    new Sender({
      maxRecords: config.batch.max_records,
      maxBytes: config.batch.max_bytes,
      maxWait: config.batch.max_wait,
      bufferBytes: bytes,
      lanes: config.max_in_flight,
      courier,
      clock,
      delivered,
    });
  const sender = makeSender(bufferBytes, (records) => deps.acknowledged(records));
  observeLevels(deps.stats, () => ({
    records: sender.records,
    bytes: sender.bytes,
    oldest: sender.oldest,
    diskBytes: 0,
  }));

  return {
    offer: (record) => sender.offer(record),
    room: () => sender.room(),
    flush: (signal) => sender.flush(signal),
    async close() {
      await sender.close();
      await Promise.all([output.close(), deadLetters.close()]);
    },
    show: () => ({
      output: output.show(),
      ...courier.show(),
      buffered: { records: sender.records, bytes: sender.bytes, limit_bytes: bufferBytes },
      disk: null,
      oldest_ms: Math.round(sender.oldest),
      records: { ...stats.totals },
      dead_letter:
        config.dead_letter === undefined ? null : { path: config.dead_letter.path, blocked: deadLetters.blocked },
    }),
  };
}
