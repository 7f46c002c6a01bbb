import type { Clock } from '../../../filter/define-filter.ts';
import type { LogRecord } from '../../record.ts';
import type { DiskBufferConfig } from '../config.ts';
import type { DeadLetterFile } from '../dead-letter-file.ts';
import type { DeliveryStats } from '../delivery-stats.ts';
import type { Kept } from '../kept.ts';
import type { SeldomLog } from '../seldom-log.ts';
import type { Sender } from '../sender.ts';
import { DiskBuffer } from './disk-buffer.ts';
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
  const disk = await DiskBuffer.open(config, {
    now: () => clock.now(),
    onDrop(records) {
      stats.drop('disk_buffer_full', records);
      log.say('error', 'disk_drop', 'the disk buffer is full: the oldest records are lost', { records });
    },
    onCorrupt(records) {
      stats.corrupt.add(records);
      log.say('error', 'disk_corrupt', 'a record of the disk buffer is not what was written, and is left out');
    },
    onTorn(bytes) {
      log.say('warn', 'disk_torn', 'a segment of the disk buffer ends within a record', { bytes });
    },
  });
  // Half of the memory before the disk, half behind it.
  const half = Math.floor(config.memory_bytes / 2);
  const sender = options.makeSender(half, (records) => delivery.delivered(records));
  const acknowledged = (records: readonly LogRecord[]) => options.acknowledged(records);
  const delivery: DiskDelivery = new DiskDelivery({
    disk,
    sender,
    waitingBytes: half,
    deadLetters,
    random,
    stats,
    log,
    acknowledged,
  });
  return {
    offer: (record) => delivery.offer(record),
    room: () => delivery.room(),
    flush: (signal) => delivery.flush(signal),
    close: () => delivery.close(),
    levels: () => ({
      records: delivery.records + sender.records,
      bytes: delivery.bytes + sender.bytes,
      disk: {
        path: config.path,
        bytes: disk.bytes,
        limit_bytes: config.max_bytes,
        segments: disk.segments,
        blocked: delivery.blocked,
      },
    }),
    oldest: () => Math.max(sender.oldest, disk.since === undefined ? 0 : Math.max(0, clock.now() - disk.since)),
  };
}
