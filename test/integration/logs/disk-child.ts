/** Offers records to a disk buffer whose store is away, and says which are acknowledged, until it is killed. */
import { writeSync } from 'node:fs';
import { makeRecords, startDelivery } from '../../support/delivery-harness.ts';

const [path = '', from = '0'] = process.argv.slice(2);
const { delivery, acknowledged } = await startDelivery({
  output: { kind: 'http', endpoints: ['http://127.0.0.1:1'] },
  buffer: { kind: 'disk', path, max_bytes: '64MiB' },
});
let told = 0;
for (let at = Number(from); ; at++) {
  if (!delivery.offer(makeRecords(1, 'line', 'file-1', at)[0]!)) await delivery.room();
  if (at % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  if (acknowledged.length > told) {
    told = acknowledged.length;
    writeSync(1, `${Number(from) + told}\n`);
  }
}
