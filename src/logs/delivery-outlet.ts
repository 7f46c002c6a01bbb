import type { ProcessLog } from '../process-log.ts';
import type { Delivery } from './delivery/index.ts';
import type { Outlet } from './outlet.ts';

/** Milliseconds between two looks at a disk buffer that is to become empty. */
const interval = 50;

/**
 * A delivery as the reading side sees it. One that a reload has replaced is done when its disk buffer is empty as well: what is
 * there is acknowledged, and nobody else would bring it to the store.
 */
export function deliveryOutlet(delivery: Delivery, isFormer: () => boolean, log: ProcessLog): Outlet {
  return {
    offer: (record) => delivery.offer(record),
    room: () => delivery.room(),
    async flush(signal) {
      await delivery.flush(signal);
      const { disk } = delivery.show();
      if (disk === null || !isFormer()) return;
      while (!signal.aborted && !isEmpty(delivery)) await new Promise((resolve) => setTimeout(resolve, interval));
      if (isEmpty(delivery)) return;
      log.error(
        'records are left in the disk buffer of the former output; they are sent when a configuration has it again',
        {
          path: disk.path,
        },
      );
    },
    close: () => delivery.close(),
  };
}

function isEmpty(delivery: Delivery): boolean {
  const { buffered, oldest_ms: oldest } = delivery.show();
  return buffered.records === 0 && oldest === 0;
}
