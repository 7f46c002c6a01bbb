import type { Clock } from '../../filter/define-filter.ts';
import type { ProcessLog } from '../../process-log.ts';
import type { Stats } from '../../stats/index.ts';
import type { LogRecord } from '../record.ts';
import type { DeliveryConfig } from './config.ts';
import { Courier, type CourierView } from './courier.ts';
import { DeadLetterFile } from './dead-letter-file.ts';
import { DeliveryStats, observeLevels } from './delivery-stats.ts';
import { FileTurns } from './file-turns.ts';
import type { OutputView } from './outcome.ts';
import { inMemory } from './in-memory.ts';
import { onDisk } from './disk/on-disk.ts';
import { createOutput } from './outputs/index.ts';
import type { DiskView } from './kept.ts';
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

export interface DeliveryDeps {
  readonly log: ProcessLog;
  readonly stats: Stats;
  readonly clock: Clock;
  /** From 0 up to 1. */
  readonly random: () => number;
  /** Shared with deliveries that may have the same dead-letter file. Default: nobody else has it. */
  readonly turns?: FileTurns;
  /** The store, the dead-letter file or the disk buffer has these for good; those of a source in their order. */
  acknowledged(records: readonly LogRecord[]): void;
}

/** @throws Error when the disk buffer cannot be opened */
export async function createDelivery(config: DeliveryConfig, deps: DeliveryDeps): Promise<Delivery> {
  const { clock, random, turns = new FileTurns() } = deps;
  const log = new SeldomLog(deps.log.child('delivery'), clock);
  const stats = new DeliveryStats(deps.stats);
  const output = createOutput(config, clock);
  const deadLetters = new DeadLetterFile(config.dead_letter, { clock, stats, log, random, turns });
  const courier = new Courier({ output, deadLetters, retry: config.retry, clock, random, stats, log });
  const { buffer } = config;
  const acknowledged = (records: readonly LogRecord[]) => deps.acknowledged(records);
  const limit = buffer.kind === 'disk' ? buffer.memory_bytes : buffer.max_bytes;
  const makeSender = (bufferBytes: number, delivered: (records: readonly LogRecord[]) => void) => {
    const { max_records: maxRecords, max_bytes: maxBytes, max_wait: maxWait } = config.batch;
    const lanes = config.max_in_flight;
    return new Sender({ maxRecords, maxBytes, maxWait, bufferBytes, lanes, courier, clock, delivered });
  };
  const kept =
    buffer.kind === 'memory'
      ? inMemory(makeSender(limit, acknowledged))
      : await onDisk(buffer, { makeSender, deadLetters, stats, log, clock, random, acknowledged });
  observeLevels(deps.stats, () => {
    const { records, bytes, disk } = kept.levels();
    return { records, bytes, oldest: kept.oldest(), diskBytes: disk?.bytes ?? 0 };
  });

  return {
    offer: (record) => kept.offer(record),
    room: () => kept.room(),
    flush: (signal) => kept.flush(signal),
    async close() {
      await kept.close();
      await Promise.all([output.close(), deadLetters.close()]);
    },
    show() {
      const { records, bytes, disk } = kept.levels();
      const { dead_letter: deadLetter } = config;
      return {
        output: output.show(),
        ...courier.show(),
        buffered: { records, bytes, limit_bytes: limit },
        disk,
        oldest_ms: Math.round(kept.oldest()),
        records: { ...stats.totals },
        dead_letter: deadLetter === undefined ? null : { path: deadLetter.path, blocked: deadLetters.blocked },
      };
    },
  };
}
