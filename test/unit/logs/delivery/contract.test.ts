import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { startBulkServer } from '../../../support/bulk-server.ts';
import { makeRecords, messagesOf, startDelivery, type DeliveryHarness } from '../../../support/delivery-harness.ts';
import { startLinesServer, startLokiServer, startOtlpServer } from '../../../support/log-stores.ts';
import type { StoreServer } from '../../../support/store-server.ts';

interface Store {
  readonly output: Record<string, unknown>;
  readonly messages: () => Promise<string[]>;
  readonly server?: StoreServer;
  readonly close: () => Promise<void>;
}

const linesOf = (text: string) =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { message: string }).message);

const over = (
  kind: string,
  server: StoreServer & { messages: string[] },
  more: Record<string, unknown> = {},
): Store => ({
  output: { kind, endpoints: [server.url], ...more },
  messages: async () => [...server.messages],
  server,
  close: () => server.close(),
});

const stores: Record<string, () => Promise<Store>> = {
  async elasticsearch() {
    const server = await startBulkServer({ dataStreams: ['logs-app'] });
    server.fail = (document) =>
      String(document['message']).includes('poison')
        ? { status: 400, type: 'mapper_parsing_exception', reason: 'no' }
        : undefined;
    return {
      output: { kind: 'elasticsearch', endpoints: [server.url], data_stream: 'logs-app' },
      messages: async () => [...server.documents.values()].map((document) => String(document['message'])),
      server,
      close: () => server.close(),
    };
  },
  otlp_http: async () => over('otlp_http', await startOtlpServer()),
  otlp_http_json: async () => over('otlp_http', await startOtlpServer(), { encoding: 'json' }),
  loki: async () => over('loki', await startLokiServer()),
  http: async () => over('http', await startLinesServer()),
  async file() {
    const folder = await mkdtemp(join(tmpdir(), 'portico-'));
    const path = join(folder, 'out.jsonl');
    return {
      output: { kind: 'file', path },
      messages: async () => linesOf(await readFile(path, 'utf8')),
      close: () => rm(folder, { recursive: true }),
    };
  },
  async stdout() {
    let text = '';
    const stream = new Writable({
      write(chunk: Buffer, _encoding, done) {
        text += chunk.toString();
        done();
      },
    });
    const spy = vi.spyOn(process, 'stdout', 'get').mockReturnValue(stream as typeof process.stdout);
    return { output: { kind: 'stdout' }, messages: async () => linesOf(text), close: async () => spy.mockRestore() };
  },
};

afterEach(() => vi.restoreAllMocks());

async function deliverTo(
  kind: string,
  config: Record<string, unknown> = {},
): Promise<{ store: Store } & DeliveryHarness> {
  const store = await stores[kind]!();
  const harness = await startDelivery({ output: store.output, ...config });
  onTestFinished(async () => {
    await harness.delivery.close();
    await store.close();
  });
  return { store, ...harness };
}

describe.each(Object.keys(stores))('the output %s', (kind) => {
  it('has all records, in their order, and acknowledges them after that', async () => {
    const { store, offer, flush, acknowledged } = await deliverTo(kind, { batch: { max_records: 7 } });
    const records = makeRecords(50);
    await offer(records);
    await flush();
    expect(acknowledged).toEqual(records);
    expect(await store.messages()).toEqual(messagesOf(records));
  });

  it('is asked for nothing when there is nothing to send', async () => {
    const { flush, store, delivery } = await deliverTo(kind);
    await flush();
    expect(store.server?.requests ?? []).toEqual([]);
    expect(delivery.show().output.kind).toBe(store.output['kind']);
  });

  it('sends a lonely record after max_wait', async () => {
    const { offer, acknowledged } = await deliverTo(kind, { batch: { max_wait: '10ms' } });
    await offer(makeRecords(1));
    await vi.waitFor(() => expect(acknowledged).toHaveLength(1), 10_000);
  });
});

const remote = ['elasticsearch', 'otlp_http', 'otlp_http_json', 'loki', 'http'];

describe.each(remote)('the remote output %s', (kind) => {
  const troubles = [
    ['429', { kind: 'answer', answer: { status: 429, headers: { 'retry-after': '0' } } }],
    ['503', { kind: 'answer', answer: { status: 503 } }],
    ['401', { kind: 'answer', answer: { status: 401 } }],
    ['404', { kind: 'answer', answer: { status: 404 } }],
    ['a redirect', { kind: 'answer', answer: { status: 302, headers: { location: 'http://127.0.0.1:1/' } } }],
    ['a reset', { kind: 'reset', processed: false }],
    ['no answer', { kind: 'hang' }],
  ] as const;

  it.each(troubles)('gets the same body again after %s, and nothing else before', async (_name, trouble) => {
    const store = await stores[kind]!();
    const harness = await startDelivery({
      output: { ...store.output, request_timeout: '1s' },
      batch: { max_records: 10 },
    });
    onTestFinished(async () => {
      await harness.delivery.close();
      await store.close();
    });
    store.server!.troubles.push(trouble, trouble);
    const records = makeRecords(30);
    await harness.offer(records);
    await harness.flush();
    expect(await store.messages()).toEqual(messagesOf(records));
    expect(messagesOf(harness.acknowledged)).toEqual(messagesOf(records));
    const bodies = store.server!.requests.map(({ body }) => body);
    expect(bodies).toHaveLength(5);
    expect(new Set(bodies.slice(0, 3)).size).toBe(1);
    expect(new Set(bodies).size).toBe(3);
    expect(await harness.metric('portico_logs_delivery_records_retried_total')).toBe(20);
  });

  it('puts aside the records that are refused, and no others', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'portico-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const path = join(folder, 'dead.jsonl');
    const { store, offer, flush, acknowledged, metric } = await deliverTo(kind, { dead_letter: { path } });
    const records = [
      ...makeRecords(5),
      ...makeRecords(1, 'poison', 'file-1', 5),
      ...makeRecords(5, 'line', 'file-1', 6),
    ];
    await offer(records);
    await flush();
    expect(acknowledged).toEqual(records);
    const good = messagesOf(records).filter((message) => !message.startsWith('poison'));
    expect([...new Set(await store.messages())].sort()).toEqual(good.sort());
    const letters = (await readFile(path, 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(letters).toEqual([
      expect.objectContaining({
        reason: expect.stringContaining('400') as string,
        source: 'file-1',
        path: '/var/log/file-1.log',
        input: 'app',
        offset: 100,
        record: { message: 'poison 5', level: 'info' },
      }),
    ]);
    expect(await metric('portico_logs_delivery_records_rejected_total')).toBe(1);
  });

  it('splits a batch that is too large, and puts aside a record that is too large alone', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'portico-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const path = join(folder, 'dead.jsonl');
    const { store, offer, flush, acknowledged } = await deliverTo(kind, { dead_letter: { path } });
    store.server!.troubles.push(
      ...Array.from({ length: 3 }, () => ({ kind: 'answer', answer: { status: 413 } }) as const),
    );
    const records = makeRecords(4);
    await offer(records);
    await flush();
    // 4, then the first 2, then the first 1.
    expect(await store.messages()).toEqual(messagesOf(records.slice(1)));
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ reason: 'status 413', offset: 0 });
    expect(acknowledged).toEqual(records);
  });

  it('holds no more than the buffer while the store is down, and delivers all when it is back', async () => {
    const { store, delivery, acknowledged, flush } = await deliverTo(kind, {
      buffer: { kind: 'memory', max_bytes: '64KiB' },
    });
    await store.server!.down();
    const records = makeRecords(2000);
    let taken = 0;
    while (delivery.offer(records[taken++]!));
    expect(taken).toBeLessThan(1000);
    expect(delivery.show().buffered.bytes).toBeLessThan(65_536 + 1024);
    let isRoom = false;
    const room = delivery.room().then(() => (isRoom = true));
    await vi.waitFor(() => expect(delivery.show().last_failure).not.toBeNull(), 10_000);
    expect(isRoom).toBe(false);
    expect(acknowledged).toEqual([]);
    await store.server!.up();
    await room;
    await flush();
    expect(acknowledged).toEqual(records.slice(0, taken));
    expect(await store.messages()).toEqual(messagesOf(records.slice(0, taken)));
  });
});
