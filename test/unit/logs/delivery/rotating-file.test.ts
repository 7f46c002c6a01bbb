import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { makeRecords, startDelivery } from '../../../support/delivery-harness.ts';
import { startBulkServer, parsingFailure } from '../../../support/bulk-server.ts';

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'portico-'));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
}

it('rotates a file by its size, and keeps so many', async () => {
  const base = await folder();
  const path = join(base, 'out.jsonl');
  const { delivery, offer, flush } = await startDelivery({
    output: { kind: 'file', path, max_bytes: 200, keep: 2 },
    batch: { max_records: 2 },
  });
  onTestFinished(() => delivery.close());
  await offer(makeRecords(20));
  await flush();
  expect((await readdir(base)).sort()).toEqual(['out.jsonl', 'out.jsonl.1', 'out.jsonl.2']);
  const texts = await Promise.all([`${path}.2`, `${path}.1`, path].map((name) => readFile(name, 'utf8')));
  expect(texts.join('').match(/line \d+/g)).toEqual([14, 15, 16, 17, 18, 19].map((at) => `line ${at}`));
});

it('does not join a line to one that was cut off', async () => {
  const path = join(await folder(), 'out.jsonl');
  await writeFile(path, '{"message":"who');
  const { delivery, offer, flush } = await startDelivery({ output: { kind: 'file', path } });
  onTestFinished(() => delivery.close());
  await offer(makeRecords(1));
  await flush();
  expect((await readFile(path, 'utf8')).split('\n')[1]).toContain('"message":"line 0"');
});

it('bounds the dead-letter file, and counts what is lost by that', async () => {
  const path = join(await folder(), 'dead.jsonl');
  const store = await startBulkServer();
  store.fail = () => parsingFailure;
  const harness = await startDelivery({
    output: { kind: 'elasticsearch', endpoints: [store.url], index: 'app' },
    batch: { max_records: 5 },
    dead_letter: { path, max_bytes: 4096, keep: 1 },
  });
  onTestFinished(async () => {
    await harness.delivery.close();
    await store.close();
  });
  await harness.offer(makeRecords(100));
  await harness.flush();
  const count = async (name: string) => (await readFile(name, 'utf8')).trimEnd().split('\n').length;
  const kept = (await count(path)) + (await count(`${path}.1`));
  expect((await stat(path)).size).toBeLessThanOrEqual(4096);
  expect(kept).toBeLessThan(100);
  expect(await harness.metric('portico_logs_delivery_records_dropped_total')).toBe(100 - kept);
  expect(await harness.metric('portico_logs_delivery_records_rejected_total')).toBe(100);
});
