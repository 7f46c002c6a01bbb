import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import {
  parsingFailure,
  rejectedExecution,
  startBulkServer,
  type BulkServer,
  type BulkServerOptions,
} from '../../../support/bulk-server.ts';
import { makeRecords, messagesOf, startDelivery } from '../../../support/delivery-harness.ts';

async function start(
  options: BulkServerOptions,
  output: Record<string, unknown>,
  config: Record<string, unknown> = {},
) {
  const store = await startBulkServer(options);
  const harness = await startDelivery({
    output: { kind: 'elasticsearch', endpoints: [store.url], ...output },
    ...config,
  });
  onTestFinished(async () => {
    await harness.delivery.close();
    await store.close();
  });
  return { store, ...harness };
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'portico-'));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
}

const messagesIn = (store: BulkServer) => [...store.documents.values()].map(({ message }) => String(message));
const sentMessages = (body: string) =>
  body
    .split('\n')
    .filter((line) => line.includes('"message"'))
    .map((line) => (JSON.parse(line) as { message: string }).message);

it('writes to the index of the day of the record, under the id of the record, through the pipeline', async () => {
  const { store, offer, flush } = await start({}, { index: 'app-%Y.%m.%d', pipeline: 'geo&ip' });
  const [one, two] = makeRecords(2) as [ReturnType<typeof makeRecords>[0], ReturnType<typeof makeRecords>[0]];
  two.time = Date.UTC(2026, 1, 3, 4, 5, 6, 7);
  two.nanos = 8;
  await offer([one, two]);
  await flush();
  expect([...store.documents]).toEqual([
    ['app-2023.11.14/file-1-0', { '@timestamp': '2023-11-14T22:13:20.000Z', message: 'line 0', level: 'info' }],
    ['app-2026.02.03/file-1-k', { '@timestamp': '2026-02-03T04:05:06.007000008Z', message: 'line 1', level: 'info' }],
  ]);
  expect(store.requests[0]!.query.get('pipeline')).toBe('geo&ip');
});

it('makes no duplicate of what the store has taken before the connection broke', async () => {
  const { store, offer, flush, acknowledged } = await start({ dataStreams: ['logs'] }, { data_stream: 'logs' });
  store.troubles.push({ kind: 'reset', processed: true });
  await offer(makeRecords(20));
  await flush();
  expect(messagesIn(store)).toEqual(messagesOf(makeRecords(20)));
  expect(store.conflicts).toHaveLength(20);
  expect(acknowledged).toHaveLength(20);
});

it('sends again only those records that the store was too busy for, and holds back the later ones', async () => {
  const { store, offer, flush, acknowledged } = await start({}, { index: 'app' }, { batch: { max_records: 5 } });
  let refusals = 4;
  store.fail = ({ message }) =>
    (message === 'line 1' || message === 'line 3') && refusals-- > 0 ? rejectedExecution : undefined;
  await offer(makeRecords(10));
  await flush();
  expect(store.requests.map(({ body }) => sentMessages(body))).toEqual([
    messagesOf(makeRecords(5)),
    ['line 1', 'line 3'],
    ['line 1', 'line 3'],
    messagesOf(makeRecords(5, 'line', 'file-1', 5)),
  ]);
  expect(messagesOf(acknowledged)).toEqual(messagesOf(makeRecords(10)));
});

it('counts what it loses when the store refuses records and there is no dead-letter file, and says so', async () => {
  const { store, offer, flush, metric, lines, acknowledged } = await start({}, { index: 'app' });
  store.fail = ({ message }) => (message === 'line 1' ? parsingFailure : undefined);
  await offer(makeRecords(3));
  await flush();
  expect(messagesIn(store)).toEqual(['line 0', 'line 2']);
  expect(acknowledged).toHaveLength(3);
  expect(await metric('portico_logs_delivery_records_dropped_total')).toBe(1);
  expect(lines.join('\n')).toContain('mapper_parsing_exception');
});

it('halves batches until they fit the store', async () => {
  const { store, offer, flush } = await start({ maxContentLength: 1000 }, { index: 'app' });
  await offer(makeRecords(50));
  await flush();
  expect(messagesIn(store)).toEqual(messagesOf(makeRecords(50)));
});

it('takes up a rotated credential, and never shows any', async () => {
  const file = join(await folder(), 'key');
  await writeFile(file, 'first-secret-key\n');
  const { store, offer, flush, lines, delivery, acknowledged } = await start(
    { authorization: 'ApiKey second-secret-key' },
    { index: 'app', auth: { kind: 'api_key', api_key_file: file }, headers: { 'x-team': 'header-secret' } },
  );
  // A store that repeats what it was sent.
  store.troubles.push({ kind: 'answer', answer: { status: 401, body: 'no such key: first-secret-key' } });
  await offer(makeRecords(1));
  await vi.waitFor(() => expect(store.requests.length).toBeGreaterThan(2), 10_000);
  expect(acknowledged).toEqual([]);
  expect(lines.join('\n')).toContain('does not accept the credentials');
  await writeFile(file, 'second-secret-key\n');
  await flush();
  expect(acknowledged).toHaveLength(1);
  expect(lines.join('\n') + JSON.stringify(delivery.show())).not.toContain('secret');
});

it('says once per interval what goes wrong each time', async () => {
  const { store, offer, flush, lines } = await start({}, { index: 'app' });
  store.troubles.push(...Array.from({ length: 20 }, () => ({ kind: 'answer', answer: { status: 503 } }) as const));
  await offer(makeRecords(1));
  await flush();
  expect(store.requests).toHaveLength(21);
  expect(lines).toHaveLength(1);
});

it('gives up after a while when it is told to, and goes on with the next batch', async () => {
  const path = join(await folder(), 'dead.jsonl');
  const { store, offer, flush, acknowledged, metric } = await start(
    {},
    { index: 'app' },
    { retry: { base_interval: '20ms', max_interval: '20ms', give_up_after: '100ms' }, dead_letter: { path } },
  );
  await store.down();
  await offer(makeRecords(3));
  await flush();
  expect(acknowledged).toHaveLength(3);
  await store.up();
  await offer(makeRecords(3, 'later', 'file-1', 3));
  await flush();
  expect(messagesIn(store)).toEqual(['later 3', 'later 4', 'later 5']);
  expect(await metric('portico_logs_delivery_records_rejected_total')).toBe(3);
});

it('waits for a dead-letter file that cannot be written, and acknowledges nothing meanwhile', async () => {
  const base = await folder();
  const path = join(base, 'missing', 'dead.jsonl');
  const { store, offer, flush, acknowledged, delivery, lines } = await start(
    {},
    { index: 'app' },
    { dead_letter: { path } },
  );
  store.fail = () => parsingFailure;
  await offer(makeRecords(1));
  void flush();
  await vi.waitFor(() => expect(delivery.show().dead_letter?.blocked).toBe(true), 10_000);
  expect(acknowledged).toEqual([]);
  expect(lines.join('\n')).toContain('delivery waits for it');
  await mkdir(join(base, 'missing'));
  await vi.waitFor(() => expect(acknowledged).toHaveLength(1), 10_000);
});

it('keeps the order of each file with several batches under way', async () => {
  const { store, offer, flush, acknowledged } = await start(
    {},
    { index: 'app' },
    { batch: { max_records: 10 }, max_in_flight: 4 },
  );
  store.troubles.push({ kind: 'answer', answer: { status: 503 } }, { kind: 'reset', processed: false });
  const files = ['a', 'b', 'c', 'd', 'e'].map((key) => makeRecords(100, key, key));
  await offer(Array.from({ length: 100 }, (_, at) => files.map((records) => records[at]!)).flat());
  await flush();
  expect(acknowledged).toHaveLength(500);
  for (const records of files) {
    const own = messagesOf(records);
    expect(messagesIn(store).filter((message) => own.includes(message))).toEqual(own);
    expect(acknowledged.filter(({ source }) => source.key === records[0]!.source.key)).toEqual(records);
  }
});

it('goes to the node that answers when another one does not', async () => {
  const [one, two] = [await startBulkServer(), await startBulkServer()];
  onTestFinished(() => Promise.all([one.close(), two.close()]).then(() => {}));
  const harness = await startDelivery({
    output: { kind: 'elasticsearch', endpoints: [one.url, two.url], index: 'app' },
    batch: { max_records: 10 },
  });
  onTestFinished(() => harness.delivery.close());
  await one.down();
  await harness.offer(makeRecords(100));
  await harness.flush();
  expect(two.documents.size).toBe(100);
  expect(await harness.metric('portico_logs_delivery_attempts_total{outcome="unreachable"}')).toBe(1);
  expect(harness.delivery.show().output.targets.map(({ skipped }) => skipped)).toEqual([true, false]);
});

it('puts aside a record that is no JSON, and delivers those around it', async () => {
  const { store, offer, flush, acknowledged } = await start({}, { index: 'app' });
  const records = makeRecords(5);
  records[2] = { ...records[2]!, fields: { message: 'big', n: 1n } };
  await offer(records);
  await flush();
  expect(messagesIn(store)).toEqual(['line 0', 'line 1', 'line 3', 'line 4']);
  expect(acknowledged).toEqual(records);
});

it('ends at once when it is closed, whatever it waits for', async () => {
  const { store, offer, delivery, acknowledged } = await start({}, { index: 'app' });
  store.troubles.push({ kind: 'hang' });
  await offer(makeRecords(1));
  const flushed = delivery.flush(new AbortController().signal);
  await vi.waitFor(() => expect(store.requests).toHaveLength(1), 10_000);
  await delivery.close();
  await flushed;
  await delivery.room();
  expect(acknowledged).toEqual([]);
});
