/** Long forms of the resilience tests, one file a scenario: `npm run soak`, or `npm run soak -- app-restart`. */
import { readdirSync } from 'node:fs';
import { spawnSync } from 'node:child_process';

const folder = new URL('.', import.meta.url).pathname;
const wanted = process.argv.slice(2);
const scenarios = readdirSync(folder)
  .filter((file) => file.endsWith('.soak.ts'))
  .map((file) => file.slice(0, -'.soak.ts'.length))
  .filter((name) => wanted.length === 0 || wanted.includes(name));
if (scenarios.length === 0) {
  process.stderr.write(`no such scenario: ${wanted.join(', ')}\n`);
  process.exit(2);
}
let failed = 0;
for (const name of scenarios) {
  process.stdout.write(`\n${name}\n`);
  const { status } = spawnSync(process.execPath, [`${folder}${name}.soak.ts`], { stdio: 'inherit' });
  if (status !== 0) failed++;
}
process.stdout.write(failed === 0 ? '\nall held\n' : `\n${failed} of ${scenarios.length} did not hold\n`);
process.exit(failed === 0 ? 0 : 1);
