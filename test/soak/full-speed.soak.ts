/** RE29: `PORTICO_SOAK_GIGABYTES` (10) in each direction as fast as they go; memory stays where it was. */
import { startBulkFront } from '../support/bulk.ts';
import { claim } from './front.ts';

const MiB = 1024 * 1024;
const bytes = Number(process.env['PORTICO_SOAK_GIGABYTES'] ?? 10) * 1024 * MiB;
const front = await startBulkFront();
for (const protocol of ['HTTP/1', 'HTTP/2'] as const) {
  for (const direction of ['down', 'up'] as const) {
    await front.run({ protocol, direction, bytes: 256 * MiB, rate: Infinity });
    const { seconds, growth, received } = await front.run({ protocol, direction, bytes, rate: Infinity });
    process.stdout.write(
      `${protocol} ${direction}: ${(bytes / MiB / seconds).toFixed(0)} MiB/s, growth ${(growth / MiB).toFixed(1)} MiB\n`,
    );
    claim(`${protocol} ${direction}: all bytes came`, received === bytes);
    claim(`${protocol} ${direction}: memory grew by at most 64 MiB`, growth <= 64 * MiB);
  }
}
await front.close();
process.exit();
