/** LF05: `portico logs` is killed 200 times at random points while the app writes and rotates; no line is lost. */
import { crashAgainAndAgain } from '../support/logs-crashes.ts';
import { claim } from './front.ts';

const seed = Number(process.env['SEED'] ?? 1);
const report = await crashAgainAndAgain({ kills: 200, seed });
process.stdout.write(
  `SEED=${seed}: ${report.written} lines, ${report.kills} kills, ${report.repeated} lines came again, at most ${report.mostRepeated} by one kill\n`,
);
claim('no line is lost', report.missing.length === 0);
claim('no line is invented', report.foreign.length === 0);
claim('lines of a file come in their order', report.disordered === 0);
claim('no checkpoint is damaged', report.refused === 0);
process.exit();
