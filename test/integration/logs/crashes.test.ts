import { expect, test } from 'vitest';
import { crashAgainAndAgain } from '../../support/logs-crashes.ts';

const seed = Number(process.env['SEED'] ?? 20_261_125);

test(`15 crashes at random points, while the file rotates, lose nothing (SEED=${seed})`, async () => {
  const report = await crashAgainAndAgain({ kills: 15, seed });
  expect(report).toMatchObject({ missing: [], repeated: 0, foreign: [], refused: 0, disordered: 0 });
  expect(report.written).toBeGreaterThan(1000);
  expect(report.rotations).toBeGreaterThan(0);
  // Something was sent again, or no kill has hit what this is about; not more than a few batches and checkpoints have.
  expect(report.sentAgain).toBeGreaterThan(0);
  expect(report.mostSentAgain).toBeLessThan(5000);
}, 180_000);
