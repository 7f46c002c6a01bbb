import { appendFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import * as v from 'valibot';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createDerivedSource, derivedSchema } from '../../../../src/metrics/derived/index.ts';
import { folderOf } from '../../../support/folder-of.ts';
import { samplesOf, sourceDeps } from '../../../support/source-deps.ts';

function source(config: object) {
  const deps = sourceDeps();
  const created = createDerivedSource(v.parse(derivedSchema, config), deps);
  onTestFinished(() => created.close());
  const values = async () => samplesOf(await created.families(0));
  const until = (wanted: Record<string, unknown>) =>
    expect.poll(values, { timeout: 15_000, interval: 5 }).toMatchObject(wanted);
  return { deps, values, until };
}

const requests = {
  name: 'app_requests_total',
  type: 'counter',
  pattern: 'status=(?<status>\\d{3})',
};

/** Follows a log that has had its first look, so that what is written now counts. */
async function following(path: string, metrics: object[], more: object = {}, top: object = {}) {
  const made = source({ ...top, logs: [{ name: 'log', path, poll_interval: '10ms', metrics, ...more }] });
  await made.until({ 'portico_app_derived_up{source="log"}': expect.anything() as unknown });
  return made;
}

describe('metrics from lines of a log', () => {
  it('counts lines by the values of named groups, from the end of the file on', async () => {
    const path = join(folderOf({ 'app.log': 'status=500\nstatus=200\n' }), 'app.log');
    const { until, values } = await following(path, [requests]);
    appendFileSync(path, 'GET / status=200\r\nnothing\nstatus=404\nstatus=200 status=999\nstatus=2');
    await until({ 'app_requests_total{status="200"}': '2', 'app_requests_total{status="404"}': '1' });
    expect(await values()).not.toHaveProperty('app_requests_total{status="500"}');
    appendFileSync(path, '01\n');
    await until({ 'app_requests_total{status="201"}': '1' });
  });

  it('sums, remembers and distributes numbers', async () => {
    const path = join(folderOf({ 'app.log': '' }), 'app.log');
    const { until } = await following(path, [
      { name: 'bytes_total', type: 'counter', pattern: 'bytes=(?<value>[^ ]+)' },
      { name: 'depth', type: 'gauge', pattern: 'depth=(?<value>[^ ]+)' },
      { name: 'took_seconds', type: 'histogram', pattern: 'took=(?<value>\\d+)ms', scale: 0.001, buckets: [0.1, 1] },
    ]);
    await until({ bytes_total: '0', 'took_seconds_bucket{le="+Inf"}': '0', took_seconds_sum: '0' });
    appendFileSync(path, 'bytes=10 depth=-3.5\nbytes=5 took=50ms\ntook=500ms\ntook=5000ms depth=1e3\n');
    await until({
      bytes_total: '15',
      depth: '1000',
      'took_seconds_bucket{le="0.1"}': '1',
      'took_seconds_bucket{le="1"}': '2',
      'took_seconds_bucket{le="+Inf"}': '3',
      took_seconds_count: '3',
      took_seconds_sum: '5.55',
    });
  });

  it('drops and counts what is no number, what would count down, and one series too many', async () => {
    const path = join(folderOf({ 'app.log': '' }), 'app.log');
    const metric = { name: 'seen_total', type: 'counter', pattern: 'of=(?<who>\\w+) n=(?<value>[^ ]*)' };
    const { until, deps } = await following(path, [metric], {}, { max_series: 2 });
    appendFileSync(path, 'of=a n=1\nof=b n=1\nof=c n=1\nof=a n=0x10\nof=a n=\nof=a n=-1\nof=a n=1e999\nof=a n=2\n');
    await until({ 'seen_total{who="a"}': '3', 'seen_total{who="b"}': '1' });
    expect(await deps.stats.render()).toContain('portico_metrics_derived_dropped_total{metric="seen_total"} 5');
  });

  it('leaves out lines that are too long, and only those', async () => {
    const path = join(folderOf({ 'app.log': '' }), 'app.log');
    const { until, values, deps } = await following(path, [requests], { max_line_bytes: 100 });
    appendFileSync(path, `status=200\nstatus=500 ${'x'.repeat(200_000)} status=500\nstatus=201\n`);
    await until({ 'app_requests_total{status="201"}': '1', 'app_requests_total{status="200"}': '1' });
    expect(await values()).not.toHaveProperty('app_requests_total{status="500"}');
    expect(await deps.stats.render()).toContain('portico_metrics_derived_long_lines_total{source="log"} 1');
  });

  it('does not take the rest of a line for a line', async () => {
    const path = join(folderOf({ 'app.log': 'half ' }), 'app.log');
    const { until, values } = await following(path, [requests]);
    appendFileSync(path, 'status=500\nstatus=200\n');
    await until({ 'app_requests_total{status="200"}': '1' });
    expect(await values()).not.toHaveProperty('app_requests_total{status="500"}');
  });

  it('loses nothing when the file is renamed and made anew, also what is written to the old one afterwards', async () => {
    const folder = folderOf({ 'app.log': '' });
    const path = join(folder, 'app.log');
    const { until } = await following(path, [requests]);
    for (let round = 1; round <= 3; round++) {
      appendFileSync(path, 'status=200\n');
      renameSync(path, `${path}.${round}`);
      appendFileSync(`${path}.${round}`, 'status=201\n');
      writeFileSync(path, 'status=202\n');
      await until({
        'app_requests_total{status="200"}': String(round),
        'app_requests_total{status="201"}': String(round),
        'app_requests_total{status="202"}': String(round),
      });
    }
  });

  it('goes on from the beginning when the file is truncated', async () => {
    const path = join(folderOf({ 'app.log': 'status=500\n'.repeat(100) }), 'app.log');
    const { until } = await following(path, [requests]);
    truncateSync(path);
    appendFileSync(path, 'status=200\n');
    await until({ 'app_requests_total{status="200"}': '1' });
  });

  it('waits for a file that is not there, says so, and reads all of it when it comes', async () => {
    const path = join(folderOf(), 'app.log');
    const { until, deps } = await following(path, [requests]);
    await until({ 'portico_app_derived_up{source="log"}': '0' });
    expect(deps.lines).toEqual([expect.stringContaining('ENOENT')]);
    writeFileSync(path, 'status=200\n');
    await until({ 'app_requests_total{status="200"}': '1', 'portico_app_derived_up{source="log"}': '1' });
    rmSync(path);
    await until({ 'portico_app_derived_up{source="log"}': '0' });
  });
});

describe('metrics from JSON', () => {
  async function app(listener: RequestListener): Promise<string> {
    const server = createServer(listener).listen(0, '127.0.0.1');
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    await new Promise((resolve) => server.once('listening', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/stats`;
  }
  const asking = (url: string, metrics: object[], more: object = {}, top: object = {}) =>
    source({ ...top, endpoints: [{ name: 'stats', url, interval: '20ms', metrics, ...more }] });

  it('has the numbers at its paths, with labels from beside them', async () => {
    const document = {
      queue: { depth: 3 },
      queues: [
        { name: 'a', depth: 1, meta: { kind: 'x' } },
        { name: 'b', depth: 2.5, meta: { kind: 'y' } },
        { name: 'c', depth: '7', meta: { kind: 'z' } },
        { depth: 9 },
        { name: 'a', depth: 1, meta: { kind: 'x' } },
      ],
      done: { mail: 10, print: -1 },
    };
    const url = await app((_request, response) => response.end(JSON.stringify(document)));
    const { until, values, deps } = asking(url, [
      { name: 'queue_depth', path: 'queue.depth' },
      { name: 'queues_depth', path: '$.queues[*].depth', labels: { queue: 'name', kind: 'meta.kind' } },
      { name: 'done_total', type: 'counter', path: 'done.*', labels: { what: '@key' } },
    ]);
    await until({ queue_depth: '3' });
    expect(await values()).toEqual({
      'portico_app_derived_up{source="stats"}': '1',
      queue_depth: '3',
      'queues_depth{queue="a",kind="x"}': '1',
      'queues_depth{queue="b",kind="y"}': '2.5',
      'done_total{what="mail"}': '10',
    });
    expect(await deps.stats.render()).toMatch(/portico_metrics_derived_dropped_total\{metric="queues_depth"\} [1-9]/);
  });

  it('is bounded', async () => {
    const url = await app((_request, response) =>
      response.end(JSON.stringify(Array.from({ length: 5000 }, (_, at) => ({ at, n: at })))),
    );
    const { until, values } = asking(url, [{ name: 'n', path: '$[*].n', labels: { at: 'at' } }], {}, { max_series: 3 });
    await until({ 'n{at="0"}': '0' });
    expect(Object.keys(await values()).filter((name) => name.startsWith('n{'))).toHaveLength(3);
  });

  it.each<[what: string, bad: RequestListener, more: object]>([
    ['another status', (_request, response) => response.writeHead(500).end('{"n":1}'), {}],
    ['nonsense', (_request, response) => response.end('{"n":'), {}],
    [
      'too much',
      (_request, response) => response.end(JSON.stringify({ n: 1, more: 'x'.repeat(2000) })),
      { max_bytes: 1000 },
    ],
    [
      'half an answer',
      (_request, response) =>
        void response.writeHead(200, { 'content-length': 100 }).write('{"n":1}', () => response.destroy()),
      {},
    ],
    ['nothing in time', () => {}, { timeout: '50ms' }],
  ])('forgets its numbers when the app answers with %s, and has them again later', async (_what, bad, more) => {
    let well = true;
    const url = await app((request, response) => {
      if (well) response.end('{"n":1}');
      else bad(request, response);
    });
    const { until, values, deps } = asking(url, [{ name: 'n', path: 'n' }], more);
    await until({ n: '1' });
    well = false;
    await until({ 'portico_app_derived_up{source="stats"}': '0' });
    expect(await values()).not.toHaveProperty('n');
    expect(deps.lines).toHaveLength(1);
    well = true;
    await until({ n: '1' });
  });
});

describe('the configuration of derived metrics', () => {
  const log = (metric: object) => ({ logs: [{ name: 'a', path: '/a', metrics: [metric] }] });
  it.each<[what: string, config: object, complaint: RegExp]>([
    ['a pattern that may run for ever', log({ ...requests, pattern: '(a+)+b' }), /exponential/],
    ['a pattern that is none', log({ ...requests, pattern: '(' }), /not a regular expression/],
    ['a counter without _total', log({ ...requests, name: 'requests' }), /must end in _total/],
    ['a gauge without a number', log({ ...requests, name: 'x', type: 'gauge' }), /needs a group \(\?<value>/],
    ['a label that histograms have', log({ ...requests, pattern: '(?<le>x)' }), /must be label names/],
    ['a name that histograms have', log({ ...requests, name: 'x_bucket' }), /must not end in _bucket/],
    [
      'buckets that do not grow',
      log({ name: 'x', type: 'histogram', pattern: '(?<value>x)', buckets: [2, 1] }),
      /must grow/,
    ],
    [
      'the same metric twice',
      { logs: [{ name: 'a', path: '/a', metrics: [requests, requests] }] },
      /must be there once/,
    ],
    [
      'a path that is none',
      { endpoints: [{ name: 'a', url: 'http://a/', metrics: [{ name: 'x', path: 'a..b' }] }] },
      /must be a path/,
    ],
    [
      'a URL of another kind',
      { endpoints: [{ name: 'a', url: 'ftp://a/', metrics: [{ name: 'x', path: 'a' }] }] },
      /must begin with http/,
    ],
  ])('refuses %s', (_what, config, complaint) => {
    expect(() => v.parse(derivedSchema, config)).toThrow(complaint);
  });
});
