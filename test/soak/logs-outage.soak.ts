/** The store of `portico logs` is away for a minute, and `portico logs` is killed and restarted meanwhile; everything is delivered. */
import { storeAway } from '../support/logs-outage.ts';
import { claim } from './front.ts';

const report = await storeAway({ away: 60_000 });
process.stdout.write(
  `${report.written} lines, ${report.whileAway} of them while the store was away; it had all ${Math.round(report.caughtUp)} ms after its return\n`,
);
claim('no line is lost', report.missing.length === 0);
claim('no line is invented', report.foreign.length === 0);
claim('no line is in the store twice', report.repeated === 0);
process.exit();
