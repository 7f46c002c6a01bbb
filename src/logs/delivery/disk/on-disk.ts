import { DiskQueue, type QueueObserver } from '../../../disk-queue/index.ts';
import type { Clock } from '../../../filter/define-filter.ts';
import type { LogRecord } from '../../record.ts';
import type { DiskBufferConfig } from '../config.ts';
import type { DeadLetterFile } from '../dead-letter-file.ts';
import type { DeliveryStats } from '../delivery-stats.ts';
import type { Kept } from '../kept.ts';
import type { SeldomLog } from '../seldom-log.ts';
import type { Sender } from '../sender.ts';
import { DiskDelivery } from './disk-delivery.ts';

export interface OnDiskOptions {
  readonly makeSender: (bufferBytes: number, delivered: (records: readonly LogRecord[]) => void) => Sender;
  readonly deadLetters: DeadLetterFile;
  readonly stats: DeliveryStats;
  readonly log: SeldomLog;
  readonly clock: Clock;
  readonly random: () => number;
  readonly acknowledged: (records: readonly LogRecord[]) => void;
}

/** Records wait on the disk, across restarts. @throws Error when the folder cannot be used */
export async function onDisk(config: DiskBufferConfig, options: OnDiskOptions): Promise<Kept> {
  const { stats, log, clock, deadLetters, random } = options;
  const { path, max_bytes, when_full } = config;
  const observer = observe(stats, log);
  // What is acknowledged is forgotten by the file that it came from: it must be on the disk by then.
  const queue = await DiskQueue.open({ path, max_bytes, when_full, sync_interval: 0 }, observer);
  // Half of the memory before the disk, half behind it.
  const half = Math.floor(config.memory_bytes / 2);
  const sender = options.makeSender(half, (records) => delivery.delivered(records));
  const acknowledged = (records: readonly LogRecord[]) => options.acknowledged(records);
  const delivery: DiskDelivery = new DiskDelivery({
    queue,
    sender,
    waitingBytes: half,
    deadLetters,
    random,
    unreadable: () => observer.damaged(1),
    log,
    acknowledged,
  });
  return {
    offer: (record) => delivery.offer(record),
    room: () => delivery.room(),
    flush: (signal) => delivery.flush(signal),
    close: () => delivery.close(),
    levels() {
      const { bytes, files: segments } = queue.depth;
      return {
        records: delivery.records + sender.records,
        bytes: delivery.bytes + sender.bytes,
        disk: { path, bytes, limit_bytes: max_bytes, segments, blocked: delivery.blocked },
      };
    },
    oldest() {
      const { since } = queue.depth;
      return Math.max(sender.oldest, since === undefined ? 0 : Math.max(0, clock.now() - since));
    },
  };
}

function observe(stats: DeliveryStats, log: SeldomLog): QueueObserver {
  return {
    dropped(records) {
      stats.drop('disk_buffer_full', records);
      log.say('error', 'disk_drop', 'the disk buffer is full: the oldest records are lost', { records });
    },
    damaged(records) {
      stats.corrupt.add(records);
      log.say('error', 'disk_corrupt', 'records of the disk buffer are not what was written, and are left out', {
        records,
      });
    },
    torn(bytes) {
      log.say('warn', 'disk_torn', 'a segment of the disk buffer ends within a record', { bytes });
    },
    failed({ message }) {
      stats.blocked.add();
      log.say('error', 'disk', 'the disk buffer cannot be written; it is tried again', { reason: message });
    },
    full() {
      log.say('warn', 'disk_full', 'the disk buffer has reached its max_bytes; reading pauses');
    },
    foreign(names) {
      const message =
        'the folder of the disk buffer has files of something else, or of another version: they are left alone and not delivered';
      log.say('warn', 'disk_foreign', message, { count: names.length, some: names.slice(0, 5) });
    },
  };
}
