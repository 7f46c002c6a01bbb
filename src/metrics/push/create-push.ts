import { DiskQueue } from '../../disk-queue/index.ts';
import { TellOnce } from '../tell-once.ts';
import type { PushConfig } from './config.ts';
import { MemoryQueue } from './memory-queue.ts';
import { PushOutput, type PushDeps } from './push-output.ts';
import { pushStats } from './push-stats.ts';
import type { Snapshot } from './snapshot.ts';

export interface Push {
  /** Gives a snapshot to all outputs. Resolves when it waits in their queues; never rejects. */
  offer(snapshot: Snapshot): Promise<void>;
  /** Ends all series and delivers what can be delivered within `close_timeout`. */
  close(): Promise<void>;
}

/** @throws Node's error when the folder of a queue cannot be used */
export async function createPush({ outputs }: PushConfig, deps: PushDeps): Promise<Push> {
  const made = await Promise.all(
    outputs.map(async (config) => {
      const stats = pushStats(deps.stats, config.name);
      const about = { output: config.name };
      const once = new TellOnce(deps.log);
      const full = (records: number) => stats.dropped('queue_full').add(records);
      const queue =
        config.queue === undefined
          ? new MemoryQueue(config.memory_queue_bytes, full)
          : await DiskQueue.open(config.queue, {
              dropped: full,
              damaged: (records) => stats.dropped('damaged').add(records),
              torn: (bytes) => deps.log.info('the end of the queue was cut off by a crash', { ...about, bytes }),
              failed: ({ code = '', message }) =>
                once.warn(code, 'the disk refuses the queue', { ...about, reason: message }),
              full: () => once.warn('full', 'the queue is full: metrics wait for room', about),
              foreign: (names) =>
                deps.log.warn('the folder of the queue has files of something else, or of another version', {
                  ...about,
                  count: names.length,
                  some: names.slice(0, 5),
                }),
            });
      return new PushOutput(config, deps, queue, stats);
    }),
  );
  return {
    async offer(snapshot) {
      await Promise.all(made.map((output) => output.offer(snapshot)));
    },
    async close() {
      await Promise.all(made.map((output) => output.close()));
    },
  };
}
