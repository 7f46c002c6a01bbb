import { writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/index.ts';
import { createProcessLog } from '../../src/process-log.ts';
import { Server } from '../../src/server.ts';
import { frontConfig } from '../support/front-config.ts';

/** A Portico for a scenario that runs outside of the test runner. */
export async function startSoakFront(endpoint: string) {
  const folder = mkdtempSync(join(tmpdir(), 'portico-soak-'));
  const file = join(folder, 'portico.yaml');
  writeFileSync(file, frontConfig([endpoint]));
  const server = await Server.start(await loadConfig(file), {
    log: createProcessLog({ level: 'error', format: 'pretty' }),
  });
  const address = server.listeners[0]!.address();
  if (address.kind !== 'tcp') throw new Error('not a TCP address');
  return {
    port: address.port,
    async metrics(pattern: RegExp): Promise<string[]> {
      return (await server.stats.render()).split('\n').filter((line) => pattern.test(line));
    },
    async stop(): Promise<void> {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Says whether a claim held; the process ends with 1 when one did not. */
export function claim(what: string, held: boolean): void {
  process.stdout.write(`${held ? 'held' : 'DID NOT HOLD'}: ${what}\n`);
  if (!held) process.exitCode = 1;
}
