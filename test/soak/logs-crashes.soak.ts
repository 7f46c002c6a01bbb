/** `portico logs` is killed 200 times at random points while the app writes and rotates; no line is lost. */
import { crashAgainAndAgain } from '../support/logs-crashes.ts';
import { claim } from './front.ts';

const seed = Number(process.env['SEED'] ?? 1);
const kills = 200;
const report = await crashAgainAndAgain({ kills, seed });
process.stdout.write(
  `SEED=${seed}: ${report.written} lines, ${report.rotations} rotations, ${kills} kills, ${report.sentAgain} lines sent again, at most ${report.mostSentAgain} by one kill\n`,
);
claim('no line is lost', report.missing.length === 0);
claim('no line is invented', report.foreign.length === 0);
claim('no line is in the store twice', report.repeated === 0);
claim('lines of a file come in their order', report.disordered === 0);
claim('no checkpoint is damaged', report.refused === 0);
process.exit();
