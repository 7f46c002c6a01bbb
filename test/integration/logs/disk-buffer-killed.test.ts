import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, it, onTestFinished } from 'vitest';
import { startDelivery } from '../../support/delivery-harness.ts';
import { startLinesServer } from '../../support/log-stores.ts';

it(
  'delivers, in order, all that was acknowledged by a process that was killed again and again',
  { timeout: 60_000 },
  async () => {
    const path = await mkdtemp(join(tmpdir(), 'portico-'));
    onTestFinished(() => rm(path, { recursive: true }));
    let acknowledged = 0;
    for (let kill = 0; kill < 3; kill++) {
      acknowledged = await runAndKill(path, acknowledged, 2000 + kill * 777);
    }
    const store = await startLinesServer();
    onTestFinished(() => store.close());
    const { delivery } = await startDelivery({
      output: { kind: 'http', endpoints: [store.url] },
      buffer: { kind: 'disk', path },
      batch: { max_wait: '10ms' },
    });
    onTestFinished(() => delivery.close());
    const all = Array.from({ length: acknowledged }, (_, at) => `line ${at}`);
    await expect.poll(() => new Set(store.messages).isSupersetOf(new Set(all)), { timeout: 20_000 }).toBe(true);
    // What was on the disk and not yet said to be is there twice: offered again after the kill. Never out of order otherwise.
    const firsts = [...new Set(store.messages)].slice(0, all.length);
    expect(firsts).toEqual(all);
  },
);

/** Kills when so many more records are acknowledged; gives back how many were, in all. */
async function runAndKill(path: string, from: number, count: number): Promise<number> {
  const script = new URL('./disk-child.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, path, String(from)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let last = from;
  for await (const line of createInterface(child.stdout)) {
    last = Number(line);
    if (last - from >= count) child.kill('SIGKILL');
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  expect(child.signalCode).toBe('SIGKILL');
  return last;
}
