import type { Kept } from './kept.ts';
import type { Sender } from './sender.ts';

/** Records wait in memory alone; the file they came from has them until they are delivered. */
export function inMemory(sender: Sender): Kept {
  return {
    offer: (record) => sender.offer(record),
    room: () => sender.room(),
    flush: (signal) => sender.flush(signal),
    close: () => sender.close(),
    levels: () => ({ records: sender.records, bytes: sender.bytes, disk: null }),
    oldest: () => sender.oldest,
  };
}
