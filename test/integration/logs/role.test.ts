import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { bulkStore, documentsOf, logsHome, messagesIn, toStore } from '../../support/logs-role.ts';
import { judge, line, logWriter } from '../../support/log-writer.ts';
import { until } from '../../support/logs.ts';
import { parsingFailure, rejectedExecution } from '../../support/bulk-server.ts';

const patience = { timeout: 60_000 };

describe('portico logs', patience, () => {
  test('ships lines parsed, and with the pod they come from', async () => {
    const home = logsHome();
    const store = await bulkStore();
    home.configure({ output: toStore(store) });
    const text = '{"time":"2026-11-25T11:00:00.5Z","level":"WARN","msg":"slow","took":7,"req":{"id":"r-1"}}\n';
    writeFileSync(home.log('app.log'), text);
    const portico = await home.start({ env: { POD_NAME: 'shop-1', POD_NAMESPACE: 'prod' } });
    await until(() => expect(store.documents.size).toBe(1));
    expect(documentsOf(store)[0]).toMatchObject({
      '@timestamp': '2026-11-25T11:00:00.500Z',
      level: 'warn',
      message: 'slow',
      took: 7,
      request_id: 'r-1',
      kubernetes: { pod: { name: 'shop-1' }, namespace: 'prod' },
      input: 'app',
      log: { file: { path: home.log('app.log') }, offset: 0 },
    });
    expect(await portico.terminate()).toBe(0);
  });

  test('shows its files and what it sends, and is ready', async () => {
    const home = logsHome();
    const store = await bulkStore();
    home.configure({ output: toStore(store) });
    writeFileSync(home.log('app.log'), line(0));
    const portico = await home.start();
    await until(async () =>
      expect(await portico.admin('/files')).toMatch(/^app +live +76 +76 +76 +0 +0 +\S+app\.log$/m),
    );
    expect(JSON.parse(await portico.admin('/files?format=json'))).toMatchObject({
      files: [{ path: home.log('app.log'), size: 76, acknowledged: 76, lag: 0 }],
      checkpoint_failing: null,
    });
    expect(JSON.parse(await portico.admin('/delivery'))).toMatchObject({ records: { delivered: 1 } });
    expect(await portico.admin('/ready')).toContain('LIVE');
    const metrics = await portico.admin('/metrics');
    expect(metrics).toContain('portico_logs_delivery_records_delivered_total 1\n');
    expect(metrics).toContain('portico_logs_read_records_total{input="app"} 1\n');
  });

  test('ships the end of the files after SIGTERM, also a last line without its end', async () => {
    const home = logsHome();
    const store = await bulkStore();
    home.configure({ output: toStore(store), follow: { poll_interval: '1h', discover_interval: '1h' } });
    writeFileSync(home.log('app.log'), 'one\n');
    const portico = await home.start();
    await until(() => expect(messagesIn(store)).toEqual(['one']));
    appendFileSync(home.log('app.log'), 'two\nthree');
    expect(await portico.terminate()).toBe(0);
    expect(messagesIn(store)).toEqual(['one', 'two', 'three']);
    expect(portico.output()).toContain('everything is shipped');
  });

  test('says what is left when the store is down at SIGTERM, ends with 1, and ships it later', async () => {
    const home = logsHome();
    const store = await bulkStore();
    home.configure({ output: toStore(store), drain: { drain_time: '500ms' } });
    await store.down();
    writeFileSync(home.log('app.log'), line(0));
    const portico = await home.start();
    expect(await portico.terminate()).toBe(1);
    expect(portico.output()).toMatch(/"files":1,"bytes":76,"msg":"not everything could be shipped in time"/);
    await store.up();
    const again = await home.start();
    await until(() => expect(store.documents.size).toBe(1));
    expect(await again.terminate()).toBe(0);
  });

  test('a reload leads what is written later to another store, and loses nothing', async () => {
    const home = logsHome();
    const [one, other] = [await bulkStore(), await bulkStore()];
    // The first one is slow, so that lines are under way to it when the other takes over.
    one.delay = 200;
    home.configure({ output: toStore(one), batch: { max_records: 50, max_wait: '20ms' } });
    const writer = logWriter(home.log('app.log'));
    writer.write(500);
    const portico = await home.start();
    await until(() => expect(one.documents.size).toBeGreaterThan(0));
    home.configure({ output: toStore(other), batch: { max_records: 50, max_wait: '20ms' } });
    portico.child.kill('SIGHUP');
    await portico.says(/configuration reloaded/);
    writer.write(500);
    expect(await portico.terminate()).toBe(0);
    const all = [...messagesIn(one), ...messagesIn(other)];
    expect(judge(all, writer.written)).toEqual({ missing: [], repeated: 0, foreign: [] });
    expect(all).toEqual([...all].sort());
    expect(other.documents.size).toBeGreaterThanOrEqual(500);
  });

  test('after a reload the former and the new delivery have one dead-letter file, and each refused record is there once', async () => {
    const home = logsHome();
    const [one, other] = [await bulkStore(), await bulkStore()];
    for (const store of [one, other]) {
      store.fail = () => parsingFailure;
      store.delay = 50;
    }
    // So small that it is renamed again and again.
    const letters = { path: 'dead.ndjson', max_bytes: '4KiB', keep: 100 };
    const options = { batch: { max_records: 5, max_wait: '20ms' }, dead_letter: letters };
    home.configure({ output: toStore(one), ...options });
    const writer = logWriter(home.log('app.log'));
    writer.write(100);
    const portico = await home.start();
    await until(() => expect(one.requests.length).toBeGreaterThan(1));
    home.configure({ output: toStore(other), ...options });
    portico.child.kill('SIGHUP');
    await portico.says(/configuration reloaded/);
    writer.write(100);
    expect(await portico.terminate()).toBe(0);
    expect(other.requests.length).toBeGreaterThan(1);
    const lines = readdirSync(home.folder)
      .filter((name) => name.startsWith('dead.ndjson'))
      .flatMap((name) => readFileSync(join(home.folder, name), 'utf8').split('\n'))
      .filter((text) => text !== '');
    const messages = lines.map((text) => (JSON.parse(text) as { record: { message: string } }).record.message);
    expect(judge(messages, writer.written)).toEqual({ missing: [], repeated: 0, foreign: [] });
  });

  test('a reload that takes a disk buffer away brings what is in it to its store first', async () => {
    const home = logsHome();
    const [one, other] = [await bulkStore(), await bulkStore()];
    await one.down();
    const batch = { max_records: 50, max_wait: '20ms' };
    home.configure({ output: toStore(one), batch, buffer: { kind: 'disk', path: 'buffer' } });
    const writer = logWriter(home.log('app.log'));
    writer.write(500);
    const portico = await home.start();
    // All is on the disk, and nothing in the store.
    await until(async () => expect(await portico.admin('/files')).toMatch(/^app +live +38000 +38000 +38000 +0/m));
    home.configure({ output: toStore(other), batch });
    portico.child.kill('SIGHUP');
    await portico.says(/configuration reloaded/);
    writer.write(100);
    await until(() => expect(other.documents.size).toBe(100));
    await one.up();
    await until(() => expect(one.documents.size).toBe(500));
    expect(await portico.terminate()).toBe(0);
    const all = [...messagesIn(one), ...messagesIn(other)];
    expect(judge(all, writer.written)).toEqual({ missing: [], repeated: 0, foreign: [] });
  });

  test('a state folder that cannot be made is told in one line', async () => {
    const home = logsHome();
    const store = await bulkStore();
    writeFileSync(join(home.folder, 'file'), '');
    home.configure({ output: toStore(store), state: { folder: 'file/state' } });
    await expect(home.start()).rejects.toThrow(
      /^ended with [12] .*cannot make the state folder \S+file\/state: ENOTDIR[^\n]*\n$/s,
    );
  });

  test('a reload that is refused changes nothing', async () => {
    const home = logsHome();
    const store = await bulkStore();
    home.configure({ output: toStore(store) });
    const portico = await home.start();
    home.configure({ output: { kind: 'elasticsearch' } });
    portico.child.kill('SIGHUP');
    await portico.says(/configuration not reloaded/);
    writeFileSync(home.log('app.log'), 'still\n');
    await until(() => expect(messagesIn(store)).toEqual(['still']));
  });

  test('a reload of rules and inputs alone keeps the places and the connection', async () => {
    const home = logsHome();
    const store = await bulkStore();
    home.configure({ output: toStore(store) });
    writeFileSync(home.log('app.log'), 'one\n');
    const portico = await home.start();
    await until(() => expect(messagesIn(store)).toEqual(['one']));
    const drop = { name: 'noise', action: 'drop', when: [{ field: 'message', equals: 'noise' }] };
    home.configure({
      output: toStore(store),
      rules: [drop],
      inputs: { paths: [join(home.folder, 'log/*.log'), join(home.folder, 'log/*.txt')] },
    });
    portico.child.kill('SIGHUP');
    await portico.says(/configuration reloaded/);
    writeFileSync(home.log('more.txt'), 'three\n');
    await until(() => expect(messagesIn(store)).toEqual(['one', 'three']));
    appendFileSync(home.log('app.log'), 'noise\ntwo\n');
    await until(() => expect(messagesIn(store)).toEqual(['one', 'three', 'two']));
    expect(store.conflicts).toEqual([]);
  });

  test('a store that is away, then slow, busy and broken by turns gets every line once, in order', async () => {
    const home = logsHome();
    const store = await bulkStore();
    home.configure({
      output: toStore(store),
      batch: { max_records: 20, max_wait: '20ms' },
      buffer: { kind: 'memory', max_bytes: '64KiB' },
    });
    await store.down();
    const writer = logWriter(home.log('app.log'));
    writer.write(1000);
    const portico = await home.start();
    await until(async () => expect(await portico.admin('/delivery')).toMatch(/"retried": [1-9]/));
    store.delay = 5;
    let seen = 0;
    store.fail = () => (++seen % 7 === 0 ? rejectedExecution : undefined);
    store.troubles.push(
      { kind: 'answer', answer: { status: 503 } },
      { kind: 'reset', processed: true },
      { kind: 'answer', answer: { status: 429, headers: { 'retry-after': '0' } } },
      { kind: 'reset', processed: false },
    );
    await store.up();
    writer.write(500);
    await until(() => expect(store.documents.size).toBe(writer.written));
    expect(judge(messagesIn(store), writer.written)).toEqual({ missing: [], repeated: 0, foreign: [] });
    expect(await portico.terminate()).toBe(0);
  });

  test('what the store refuses for good goes to the dead-letter file, and nothing waits for it', async () => {
    const home = logsHome();
    const store = await bulkStore();
    store.fail = ({ message }) => (message === 'poison' ? parsingFailure : undefined);
    home.configure({ output: toStore(store), dead_letter: { path: 'refused.jsonl' } });
    writeFileSync(home.log('app.log'), 'one\npoison\ntwo\n');
    const portico = await home.start();
    await until(() => expect(messagesIn(store)).toEqual(['one', 'two']));
    expect(await portico.terminate()).toBe(0);
    expect(readFileSync(join(home.folder, 'refused.jsonl'), 'utf8')).toContain('poison');
  });

  test('a line of 10 MB is cut and says so; the next one is whole', async () => {
    const home = logsHome();
    const store = await bulkStore();
    home.configure({ output: toStore(store), inputs: { max_line_bytes: '1KiB' } });
    writeFileSync(home.log('app.log'), `${'x'.repeat(10_000_000)}\nnext\n`);
    await home.start();
    await until(() => expect(store.documents.size).toBe(2));
    expect(documentsOf(store)).toMatchObject([
      { message: 'x'.repeat(1024), cut_bytes: 10_000_000 - 1024 },
      { message: 'next' },
    ]);
  });
});

describe('the state folder of portico logs', patience, () => {
  test('keeps a second one out', async () => {
    const home = logsHome();
    const store = await bulkStore();
    home.configure({ output: toStore(store) });
    const portico = await home.start();
    await expect(home.start()).rejects.toThrow(/in use by another portico logs \(process \d+\)/);
    writeFileSync(home.log('app.log'), 'one\n');
    await until(() => expect(messagesIn(store)).toEqual(['one']));
    expect(await portico.terminate()).toBe(0);
  });

  test('a damaged checkpoint is set aside, and all is shipped from the beginning under the same ids', async () => {
    const home = logsHome();
    const store = await bulkStore();
    home.configure({ output: toStore(store) });
    writeFileSync(home.log('app.log'), 'one\ntwo\n');
    expect(await (await home.start()).terminate()).toBe(0);
    const checkpoint = join(home.folder, 'state/checkpoint.json');
    const good = readFileSync(checkpoint, 'utf8');
    writeFileSync(checkpoint, good.slice(0, good.length / 2));
    const again = await home.start();
    await until(() => expect(store.conflicts).toHaveLength(2));
    expect(again.output()).toContain('the checkpoint cannot be used');
    expect(existsSync(`${checkpoint}.refused`)).toBe(true);
    expect(messagesIn(store)).toEqual(['one', 'two']);
  });

  test('that cannot be written is told, while shipping goes on, and again when it can be', async () => {
    const home = logsHome();
    const store = await bulkStore();
    home.configure({ output: toStore(store) });
    const portico = await home.start();
    // In the way of the next checkpoint, also for root, whom no permissions keep from anything.
    const inTheWay = join(home.folder, 'state/checkpoint.json.new');
    await until(() => mkdirSync(inTheWay));
    writeFileSync(home.log('app.log'), 'one\n');
    await portico.says(/cannot write the checkpoint/);
    await until(() => expect(messagesIn(store)).toEqual(['one']));
    expect(await portico.admin('/files')).toContain('checkpoints cannot be written: EISDIR');
    rmdirSync(inTheWay);
    await portico.says(/checkpoints can be written again/);
    expect(await portico.terminate()).toBe(0);
  });
});
