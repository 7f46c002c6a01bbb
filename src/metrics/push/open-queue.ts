import { DiskQueue } from '../../disk-queue/index.ts';
import { TellOnce } from '../tell-once.ts';
import type { OutputConfig } from './config.ts';
import { MemoryQueue, type PushQueue } from './memory-queue.ts';
import type { PushDeps } from './push-output.ts';
import type { PushStats } from './push-stats.ts';

/** @throws Node's error when the folder of a queue on the disk cannot be used */
export async function openQueue(config: OutputConfig, deps: PushDeps, stats: PushStats): Promise<PushQueue> {
  const full = (records: number) => stats.dropped('queue_full').add(records);
  if (config.queue === undefined) return new MemoryQueue(config.memory_queue_bytes, full);
  const about = { output: config.name };
  const once = new TellOnce(deps.log);
  return DiskQueue.open(config.queue, {
    dropped: full,
    damaged: (records) => stats.dropped('damaged').add(records),
    torn: (bytes) => deps.log.info('the end of the queue was cut off by a crash', { ...about, bytes }),
    failed: ({ code = '', message }) => once.warn(code, 'the disk refuses the queue', { ...about, reason: message }),
    full: () => once.warn('full', 'the queue is full: metrics wait for room', about),
    foreign: (names) =>
      deps.log.warn('the folder of the queue has files of something else, or of another version', {
        ...about,
        count: names.length,
        some: names.slice(0, 5),
      }),
  });
}

/** Whether one output can go on with the queue of the other one as it is. */
export function sameQueue(one: OutputConfig, other: OutputConfig): boolean {
  if (one.queue === undefined && other.queue === undefined) return one.memory_queue_bytes === other.memory_queue_bytes;
  return JSON.stringify(one.queue) === JSON.stringify(other.queue);
}
