/** RE27, RE28: 2 GB in each direction on HTTP/1 and HTTP/2 against a slow side; memory stays where it was. */
import { startBulkFront } from '../support/bulk.ts';
import { claim } from './front.ts';

const MiB = 1024 * 1024;
const front = await startBulkFront();
for (const protocol of ['HTTP/1', 'HTTP/2'] as const) {
  for (const direction of ['down', 'up'] as const) {
    await front.run({ protocol, direction, bytes: 120 * MiB, rate: 150 * MiB });
    const bytes = 2048 * MiB;
    const result = await front.run({ protocol, direction, bytes, rate: 100 * MiB });
    const shown = (value: number) => `${(value / MiB).toFixed(1)} MiB`;
    process.stdout.write(
      `${protocol} ${direction}: ${result.seconds.toFixed(0)} s, held ${shown(result.mostHeld)}, with buffers of the kernel ${shown(result.mostUnderWay)}, growth ${shown(result.growth)}\n`,
    );
    claim(`${protocol} ${direction}: all bytes came`, result.received === bytes);
    claim(`${protocol} ${direction}: Portico held at most 4 MiB`, result.mostHeld <= 4 * MiB);
    claim(`${protocol} ${direction}: memory grew by at most 32 MiB`, result.growth <= 32 * MiB);
  }
}
await front.close();
process.exit();
