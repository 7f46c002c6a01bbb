import { expect, test } from 'vitest';
import { crashAgainAndAgain } from '../../support/logs-crashes.ts';

const seed = Number(process.env['SEED'] ?? 20_261_125);

test(`20 crashes at random points lose nothing (SEED=${seed})`, async () => {
  const report = await crashAgainAndAgain({ kills: 20, seed });
  expect(report).toMatchObject({ missing: [], foreign: [], refused: 0, disordered: 0 });
  // What was sent and not yet in the checkpoint: batches of 200 within a few round trips, checkpoints every 20 ms.
  expect(report.mostRepeated).toBeLessThan(5000);
  expect(report.written).toBeGreaterThan(1000);
}, 180_000);
