/** Appends records to a queue for ever, and says each number that is stored. Ended by a signal. */
import { writeSync } from 'node:fs';
import { DiskQueue } from '../../src/disk-queue/index.ts';

const [path, first] = process.argv.slice(2);
const nothing = () => {};
const queue = await DiskQueue.open(
  { path: path!, max_bytes: 64 * 1024 * 1024, when_full: 'block', sync_interval: 0 },
  { dropped: nothing, damaged: nothing, torn: nothing, failed: nothing, full: nothing, foreign: nothing },
);
for (let number = Number(first); ; number += 3) {
  const three = [number, number + 1, number + 2].map((each) =>
    queue.append(Buffer.from(`${each} ${'x'.repeat((each * 37) % 5000)}`)),
  );
  await Promise.all(three);
  writeSync(1, `${number + 2}\n`);
}
