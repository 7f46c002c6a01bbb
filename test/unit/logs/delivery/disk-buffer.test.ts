import { appendFile, mkdir, mkdtemp, open, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { DiskQueue } from '../../../../src/disk-queue/index.ts';
import { HandedOut } from '../../../../src/logs/delivery/disk/handed-out.ts';
import { makeRecords, messagesOf, startDelivery } from '../../../support/delivery-harness.ts';
import { startLinesServer, type MessageStore } from '../../../support/log-stores.ts';

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'portico-'));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
}

async function startLines(): Promise<MessageStore> {
  const store = await startLinesServer();
  onTestFinished(() => store.close());
  return store;
}

async function start(store: MessageStore, path: string, buffer: Record<string, unknown> = {}) {
  const harness = await startDelivery({
    output: { kind: 'http', endpoints: [store.url] },
    buffer: { kind: 'disk', path, ...buffer },
    batch: { max_records: 100, max_wait: '10ms' },
  });
  onTestFinished(() => harness.delivery.close());
  return harness;
}

async function segmentsOf(path: string): Promise<string[]> {
  return (await readdir(path)).filter((name) => name.endsWith('.queue')).map((name) => join(path, name));
}

/** Leaves records in a buffer, as a process does that ends while the store is away. */
async function leave(store: MessageStore, path: string, records: ReturnType<typeof makeRecords>): Promise<void> {
  await store.down();
  const { offer, acknowledged, delivery, lines } = await start(store, path);
  await offer(records);
  await vi.waitFor(() => expect(acknowledged).toEqual(records), 10_000);
  await delivery.close();
  expect(lines.join('\n')).toContain('records are left in the disk buffer');
}

it('is not flushed before the store has what is on the disk, which may go with the pod', async () => {
  const [store, path] = [await startLines(), await folder()];
  await store.down();
  const { offer, delivery, acknowledged } = await start(store, path);
  await offer(makeRecords(50));
  await vi.waitFor(() => expect(acknowledged).toHaveLength(50), 10_000);
  const flushed = delivery.flush(AbortSignal.timeout(10_000));
  await store.up();
  await flushed;
  expect(store.messages).toEqual(messagesOf(makeRecords(50)));
});

it('acknowledges what is on the disk, and delivers it after a restart, when the store is back', async () => {
  const [store, path] = [await startLines(), await folder()];
  await leave(store, path, makeRecords(500));
  await leave(store, path, makeRecords(500, 'line', 'file-1', 500));
  await store.up();
  const { delivery, offer } = await start(store, path);
  await offer(makeRecords(10, 'line', 'file-1', 1000));
  await vi.waitFor(() => expect(store.messages).toHaveLength(1010), 10_000);
  expect(store.messages).toEqual(messagesOf(makeRecords(1010)));
  await vi.waitFor(() => expect(delivery.show().buffered.records).toBe(0), 10_000);
});

it('does not deliver again after a restart what was delivered before', async () => {
  const [store, path] = [await startLines(), await folder()];
  const first = await start(store, path);
  await first.offer(makeRecords(300));
  await vi.waitFor(() => expect(store.messages).toHaveLength(300), 10_000);
  await first.delivery.close();
  const second = await start(store, path);
  await second.offer(makeRecords(1, 'last'));
  await vi.waitFor(() => expect(store.messages).toContain('last 0'), 10_000);
  expect(store.messages).toHaveLength(301);
});

it('leaves out a torn end and a record that is not what was written, and delivers the rest', async () => {
  const [store, path] = [await startLines(), await folder()];
  await leave(store, path, makeRecords(3));
  const [first = ''] = await segmentsOf(path);
  // The last byte of the first record's text; and the beginning of a fourth one.
  const file = await open(first, 'r+');
  const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
  await file.write('#', 16 + buffer.readUInt32LE(0) - 1);
  await file.close();
  await appendFile(first, Buffer.from([0, 0, 1, 0, 1, 2, 3, 4, 5]));
  await store.up();
  const { metric, lines } = await start(store, path);
  await vi.waitFor(() => expect(store.messages).toEqual(['line 1', 'line 2']), 10_000);
  expect(await metric('portico_logs_delivery_corrupt_records_total')).toBe(1);
  expect(lines.join('\n')).toContain('ends within a record {"bytes":9}');
});

it.each([1, 5, 16, 17, 40])('begins anew after a segment that was cut to %i bytes', async (size) => {
  const [store, path] = [await startLines(), await folder()];
  await leave(store, path, makeRecords(1));
  const [first = ''] = await segmentsOf(path);
  await truncate(first, size);
  await store.up();
  const { offer } = await start(store, path);
  await offer(makeRecords(2, 'next'));
  await vi.waitFor(() => expect(store.messages).toEqual(['next 0', 'next 1']), 10_000);
});

it('leaves the files of another layout alone, says so, and takes records all the same', async () => {
  const [store, path] = [await startLines(), await folder()];
  await writeFile(join(path, '000000000001.segment'), 'x');
  const { offer, lines } = await start(store, path);
  await offer(makeRecords(2));
  await vi.waitFor(() => expect(store.messages).toEqual(['line 0', 'line 1']), 10_000);
  expect(lines.join('\n')).toMatch(/left alone.*000000000001\.segment/);
  expect(await readdir(path)).toContain('000000000001.segment');
});

it('puts a record aside that is too large for it, and acknowledges it in its turn', async () => {
  const [store, path] = [await startLines(), await folder()];
  const { offer, acknowledged, metric, lines } = await start(store, path, { max_bytes: '1MiB' });
  const [first, large, last] = makeRecords(3);
  const records = [first!, { ...large!, fields: { message: 'x'.repeat(300_000) } }, last!];
  await offer(records);
  await vi.waitFor(() => expect(store.messages).toEqual(['line 0', 'line 2']), 10_000);
  expect(acknowledged).toEqual(records);
  expect(await metric('portico_logs_delivery_records_rejected_total')).toBe(1);
  expect(lines.join('\n')).toContain('is larger than a quarter of max_bytes of the disk buffer');
});

it('leaves out what is whole and yet no record, and forgets it', async () => {
  const [store, path] = [await startLines(), await folder()];
  const ignore = () => {};
  const queue = await DiskQueue.open(
    { path, max_bytes: 1_048_576, when_full: 'block', sync_interval: 0 },
    { dropped: ignore, damaged: ignore, torn: ignore, failed: ignore, full: ignore, foreign: ignore },
  );
  for (const text of ['null', '{', '[1,2,3]', '["a","b","c","d",5,6,7,{}]']) await queue.append(Buffer.from(text));
  await queue.close();
  const { offer, metric, flush, delivery } = await start(store, path);
  await offer(makeRecords(1));
  await flush();
  expect(store.messages).toEqual(['line 0']);
  expect(await metric('portico_logs_delivery_corrupt_records_total')).toBe(4);
  expect(delivery.show().oldest_ms).toBe(0);
});

it('forgets records in their order although a slow file holds some of them up', () => {
  const handedOut = new HandedOut();
  const [one, two, three] = makeRecords(3);
  for (const [at, record] of [one, two, three].entries()) handedOut.add(record!, at + 1);
  handedOut.arrived([two!]);
  expect(handedOut.settled).toBe(0);
  handedOut.arrived([one!]);
  expect(handedOut.settled).toBe(2);
  handedOut.skip(4);
  expect(handedOut.settled).toBe(2);
  handedOut.arrived([three!]);
  expect(handedOut.settled).toBe(4);
});

const long = (count: number, from = 0) =>
  makeRecords(count, 'line', 'file-1', from).map((record) => ({
    ...record,
    fields: { ...record.fields, pad: 'x'.repeat(10_000) },
  }));

async function sizeOf(path: string): Promise<number> {
  const sizes = await Promise.all((await segmentsOf(path)).map(async (name) => (await stat(name)).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

it('blocks when it is full, stays below its ceiling, and loses nothing', async () => {
  const [store, path] = [await startLines(), await folder()];
  await store.down();
  const harness = await start(store, path, { max_bytes: '1MiB', memory_bytes: '128KiB' });
  const records = long(300);
  const offered = harness.offer(records);
  await vi.waitFor(() => expect(harness.delivery.show().disk?.blocked).toBe(true), 10_000);
  expect(await sizeOf(path)).toBeLessThanOrEqual(1_048_576);
  expect(harness.acknowledged.length).toBeLessThan(110);
  await store.up();
  await offered;
  await harness.flush();
  await vi.waitFor(() => expect(store.messages).toHaveLength(300), 15_000);
  expect(store.messages).toEqual(messagesOf(records));
  expect(harness.acknowledged).toEqual(records);
});

it('drops the oldest when it is full and told to, counts them, and delivers each of the others', async () => {
  const [store, path] = [await startLines(), await folder()];
  await store.down();
  const harness = await start(store, path, { max_bytes: '1MiB', memory_bytes: '128KiB', when_full: 'drop_oldest' });
  await harness.offer(long(300));
  await harness.flush();
  expect(harness.acknowledged).toHaveLength(300);
  expect(await sizeOf(path)).toBeLessThanOrEqual(1_048_576);
  const dropped = await harness.metric('portico_logs_delivery_records_dropped_total');
  expect(dropped).toBeGreaterThan(150);
  await store.up();
  await vi.waitFor(() => expect(store.messages).toHaveLength(300 - dropped), 15_000);
  expect(store.messages.at(-1)).toBe('line 299');
  expect(new Set(store.messages).size).toBe(300 - dropped);
});

it('acknowledges nothing while the disk cannot be written, says so, and goes on when it can', async () => {
  const [store, base] = [await startLines(), await folder()];
  const path = join(base, 'buffer');
  const { offer, flush, acknowledged, delivery, lines, metric } = await start(store, path);
  await rm(path, { recursive: true });
  await offer(makeRecords(3));
  const flushed = flush();
  await vi.waitFor(() => expect(delivery.show().disk?.blocked).toBe(true), 10_000);
  expect(acknowledged).toEqual([]);
  expect(lines.join('\n')).toContain('the disk buffer cannot be written');
  expect(await metric('portico_logs_delivery_write_failures_total')).toBeGreaterThan(0);
  await mkdir(path);
  await flushed;
  expect(acknowledged).toHaveLength(3);
  await vi.waitFor(() => expect(store.messages).toEqual(['line 0', 'line 1', 'line 2']), 10_000);
});
