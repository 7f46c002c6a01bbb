import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const script = join(import.meta.dirname, '../support/old-objects-child.ts');

test('what comes and goes with every request does not end up among the old objects', () => {
  const said = execFileSync(process.execPath, ['--expose-gc', '--max-semi-space-size=4', script], { encoding: 'utf8' });
  const grown = Object.entries(JSON.parse(said) as Record<string, number>);
  expect(grown.map(([name]) => name)).toEqual(['streams', 'connections', 'members', 'tokens']);
  // With a Map or Set it is tens of megabytes.
  for (const [name, bytes] of grown) expect(bytes, name).toBeLessThan(1024 * 1024);
});
