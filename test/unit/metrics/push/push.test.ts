import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import * as v from 'valibot';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { MetricFamily } from '../../../../src/metrics/family.ts';
import { ownFamily, type OwnSample } from '../../../../src/metrics/own-family.ts';
import { createPush, pushSchema, type Push } from '../../../../src/metrics/push/index.ts';
import { makeAuthority } from '../../../support/certificates.ts';
import { folderOf } from '../../../support/folder-of.ts';
import { decodeOtlp, encodeAnswer } from '../../../support/otlp-decoder.ts';
import { startReceiver } from '../../../support/remote-write-receiver.ts';
import { sourceDeps } from '../../../support/source-deps.ts';

const at = 1_700_000_000_000;

async function pushTo(url: string, config: object = {}) {
  const deps = { ...sourceDeps(), clock: { now: () => at + 60_000, monotonic: () => performance.now() } };
  const output = { name: 'out', protocol: 'remote_write', url, min_backoff: '10ms', max_backoff: '50ms', ...config };
  const push = await createPush(v.parse(pushSchema, { outputs: [output] }), deps);
  let closing: Promise<number> | undefined;
  const close = () => (closing ??= push.close());
  onTestFinished(async () => void (await close()));
  const offer = (families: readonly MetricFamily[], when = at) => push.offer({ families, at: when });
  return { push: { ...push, close } satisfies Push, offer, deps };
}

const requests = (...samples: OwnSample[]) => ownFamily('counter', 'requests_total', 'Requests.', samples);
const until = (check: () => unknown) => expect.poll(check, { timeout: 15_000, interval: 5 });

describe.each(['1.0', '2.0'] as const)('remote write %s', (version) => {
  const start = (config: object = {}) => ({ version, ...config });

  it('delivers samples with sorted labels, times and metadata', async () => {
    const receiver = await startReceiver();
    const { offer, deps } = await pushTo(receiver.url, start({ external_labels: { pod: 'a', zone: 'z' } }));
    const family = requests([['zebra', '1', 'Apple', 'ü"', 'zone', 'own', 'empty', ''], 5]);
    const depth = { ...ownFamily('gauge', 'depth', 'Depth.', [[[], 'NaN']]), unit: 'items' };
    const old = ownFamily('untyped', 'old', '', [[[], '-Inf']]);
    const samples = old.samples.map((sample) => ({ ...sample, timestamp: '1600000000.123' }));
    await offer([family, depth, { ...old, samples }]);
    await until(receiver.samples).toHaveLength(3);
    expect(receiver.faults).toEqual([]);
    expect(receiver.samples()).toMatchObject([
      { series: 'requests_total{Apple="ü"",pod="a",zebra="1",zone="own"}', value: 5, at },
      { series: 'depth{pod="a",zone="z"}', value: NaN, at },
      { series: 'old{pod="a",zone="z"}', value: -Infinity, at: 1_600_000_000_123 },
    ]);
    const [first] = receiver.accepted;
    expect(first!.version).toBe(version);
    expect(first!.headers['user-agent']).toMatch(/^portico/);
    if (version === '1.0') {
      expect(first!.metadata).toEqual([
        { type: 1, name: 'requests_total', help: 'Requests.', unit: '' },
        { type: 2, name: 'depth', help: 'Depth.', unit: 'items' },
        { type: 0, name: 'old', help: '', unit: '' },
      ]);
    } else {
      expect(first!.samples.map(({ metadata }) => metadata)).toEqual([
        { type: 1, help: 'Requests.', unit: '' },
        { type: 2, help: 'Depth.', unit: 'items' },
        { type: 0, help: '', unit: '' },
      ]);
    }
    await until(() => deps.stats.render()).toContain('portico_metrics_push_samples_total{output="out"} 3');
  });

  it('ends a series that disappears, and all of them when it is closed', async () => {
    const receiver = await startReceiver();
    const { offer, push } = await pushTo(receiver.url, start());
    await offer([requests([['code', '200'], 1], [['code', '500'], 1])], at);
    await offer([requests([['code', '200'], 2])], at + 1000);
    await push.close();
    expect(receiver.samples().map(({ series, value, at: when }) => [series, value, when - at])).toEqual([
      ['requests_total{code="200"}', 1, 0],
      ['requests_total{code="500"}', 1, 0],
      ['requests_total{code="200"}', 2, 1000],
      ['requests_total{code="500"}', 'stale', 1000],
      ['requests_total{code="200"}', 'stale', 60_000],
    ]);
  });

  it('sends a large snapshot in parts, and a series that is there twice once', async () => {
    const receiver = await startReceiver();
    const { offer } = await pushTo(receiver.url, start({ max_samples_per_send: 100 }));
    const many = Array.from({ length: 250 }, (_, number) => [['n', String(number)], number] as const);
    await offer([requests(...many, ...many)]);
    await until(receiver.samples).toHaveLength(250);
    expect(receiver.accepted.map(({ samples }) => samples.length)).toEqual([100, 100, 50]);
  });
});

describe('a push that fails', () => {
  it.each([429, 500, 503])('is made again after %i, and in order', async (status) => {
    const receiver = await startReceiver((_received, count) => ({ status: count <= 3 ? status : 200 }));
    const { offer, deps } = await pushTo(receiver.url);
    await offer([requests([[], 1])], at);
    await offer([requests([[], 2])], at + 1);
    await until(() => receiver.samples().map(({ value }) => value)).toEqual([1, 2]);
    expect(receiver.all).toHaveLength(5);
    expect(await deps.stats.render()).toContain('portico_metrics_push_failures_total{output="out"} 3');
    expect(deps.lines).toEqual(['metrics cannot be pushed at the moment']);
  });

  it('is dropped and counted when it is refused, and what follows is delivered', async () => {
    const receiver = await startReceiver((_received, count) => ({ status: count === 1 ? 400 : 200 }));
    const { offer, deps } = await pushTo(receiver.url);
    await offer([requests([[], 1])], at);
    await offer([requests([[], 2])], at + 1);
    await until(() => receiver.samples().map(({ value }) => value)).toEqual([2]);
    expect(await deps.stats.render()).toContain(
      'portico_metrics_push_dropped_batches_total{output="out",reason="refused"} 1',
    );
  });

  it.each([
    ['is refused', { status: 415 }],
    ['is taken without a word about what was written', { status: 204, silent: true }],
  ])('goes on with 1.0 when 2.0 %s', async (_what, answer) => {
    const receiver = await startReceiver(({ version }) => (version === '2.0' ? answer : { status: 204 }));
    const { offer } = await pushTo(receiver.url);
    await offer([requests([[], 1])], at);
    await offer([requests([[], 2])], at + 1);
    await until(() => receiver.samples().map(({ value }) => value)).toEqual([1, 2]);
    expect(receiver.all.map(({ version }) => version)).toEqual(['2.0', '1.0', '1.0']);
  });

  it('counts what the receiver says that it has written', async () => {
    const receiver = await startReceiver();
    const { offer, deps } = await pushTo(receiver.url);
    await offer([requests([[], 1])]);
    await until(() => deps.stats.render()).toContain('portico_metrics_push_samples_written_total{output="out"} 1');
  });

  it('does not hold up the end for longer than it is told', async () => {
    const receiver = await startReceiver(() => ({ status: 503, headers: { 'retry-after': '3600' } }));
    const { offer, push } = await pushTo(receiver.url, { close_timeout: '100ms', max_backoff: '1h' });
    await offer([requests([[], 1])]);
    await until(() => receiver.all.length).toBe(1);
    // The snapshot and the end of its series.
    expect(await push.close()).toBe(2);
    expect(receiver.accepted).toEqual([]);
  });

  it('drops the oldest when too much waits in memory', async () => {
    const receiver = await startReceiver(() => ({ status: 503 }));
    const { offer, deps } = await pushTo(receiver.url, { memory_queue_bytes: 1000, close_timeout: '50ms' });
    for (let turn = 0; turn < 20; turn++) await offer([requests([[], turn])], at + turn);
    expect(await deps.stats.render()).toMatch(
      /portico_metrics_push_dropped_batches_total\{output="out",reason="queue_full"\} 1\d/,
    );
  });
});

describe('a push with a queue on the disk', () => {
  it('delivers after a restart what could not be delivered before', async () => {
    let well = false;
    const receiver = await startReceiver(() => ({ status: well ? 204 : 503 }));
    const config = { queue: { path: join(folderOf(), 'queue') }, close_timeout: '50ms' };
    const before = await pushTo(receiver.url, config);
    await before.offer([requests([[], 1])], at);
    await before.offer([requests([[], 2])], at + 1);
    expect(await before.push.close()).toBe(0);
    well = true;
    await pushTo(receiver.url, config);
    await until(() => receiver.samples().map(({ value }) => value)).toEqual([1, 2, 'stale']);
    expect(receiver.faults).toEqual([]);
  });
});

describe('a push whose queue makes the writer wait', () => {
  it('leaves out whole snapshots rather than let them pile up', async () => {
    let well = false;
    const receiver = await startReceiver(() => ({ status: well ? 204 : 503 }));
    const queue = { path: join(folderOf(), 'queue'), max_bytes: '64KiB', when_full: 'block' };
    const { offer, deps } = await pushTo(receiver.url, { queue, max_backoff: '20ms', max_samples_per_send: 100 });
    const many = Array.from({ length: 1500 }, (_, number) => [['n', String(number)], number] as const);
    const first = offer([requests(...many)]);
    await until(() => receiver.all.length).toBeGreaterThan(0);
    await offer([requests([[], 2])], at + 1);
    expect(await deps.stats.render()).toContain(
      'portico_metrics_push_dropped_batches_total{output="out",reason="queue_full"} 1',
    );
    well = true;
    await first;
    await offer([requests([[], 3])], at + 2);
    await until(() => receiver.samples().filter(({ value }) => value !== 'stale').length).toBe(1501);
    await until(() => receiver.samples().filter(({ value }) => value === 'stale').length).toBe(1500);
  });
});

describe('a push with credentials', () => {
  it('sends a token from a file, read anew each time', async () => {
    const folder = folderOf({ token: 'one\n' });
    const receiver = await startReceiver();
    const { offer } = await pushTo(receiver.url, { auth: { bearer_token_file: join(folder, 'token') } });
    await offer([requests([[], 1])], at);
    await until(() => receiver.all.length).toBe(1);
    writeFileSync(join(folder, 'token'), 'two');
    await offer([requests([[], 2])], at + 1);
    await until(() => receiver.all.map(({ headers }) => headers.authorization)).toEqual(['Bearer one', 'Bearer two']);
  });

  it('sends a name with a password, and more header fields', async () => {
    const folder = folderOf({ password: 'secret\n' });
    const receiver = await startReceiver();
    const basic = { username: 'me', password_file: join(folder, 'password') };
    const { offer } = await pushTo(receiver.url, { auth: { basic }, headers: { 'X-Scope-OrgID': 'tenant' } });
    await offer([requests([[], 1])]);
    await until(() => receiver.all.length).toBe(1);
    expect(receiver.all[0]!.headers).toMatchObject({
      authorization: `Basic ${Buffer.from('me:secret').toString('base64')}`,
      'x-scope-orgid': 'tenant',
    });
  });

  it('trusts the authority that it is told and shows its certificate; no other', async () => {
    const authority = await makeAuthority();
    const server = await authority.issue('127.0.0.1');
    const client = await authority.issue('client');
    const receiver = await startReceiver(undefined, {
      ...server,
      ca: authority.cert,
      requestCert: true,
      rejectUnauthorized: true,
    });
    const folder = folderOf({ ca: authority.cert, cert: client.cert, key: client.key });
    const file = (name: string) => join(folder, name);
    const stranger = await pushTo(receiver.url, { close_timeout: '50ms' });
    await stranger.offer([requests([[], 1])]);
    await until(() => stranger.deps.stats.render()).toMatch(
      /portico_metrics_push_failures_total\{output="out"\} [1-9]/,
    );
    expect(receiver.all).toEqual([]);
    const tls = { ca_file: file('ca'), certificate_file: file('cert'), key_file: file('key') };
    const { offer } = await pushTo(receiver.url, { tls });
    await offer([requests([[], 2])]);
    await until(() => receiver.samples().map(({ value }) => value)).toEqual([2]);
  });
});

describe('OTLP over HTTP', () => {
  /** Takes either encoding, and answers in that of the request. */
  async function collector(answer: object = {}) {
    const bodies: unknown[] = [];
    const types: unknown[] = [];
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        expect(request.headers).toMatchObject({ 'content-encoding': 'gzip' });
        const type = request.headers['content-type']!;
        types.push(type);
        const body = gunzipSync(Buffer.concat(chunks));
        const inJson = type === 'application/json';
        bodies.push(inJson ? JSON.parse(body.toString()) : decodeOtlp('ExportMetricsServiceRequest', body));
        response
          .writeHead(200, { 'content-type': type })
          .end(inJson ? JSON.stringify(answer) : encodeAnswer('ExportMetricsServiceResponse', answer));
      });
    });
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/metrics`, bodies, types };
  }
  const nanos = (milliseconds: number) => `${milliseconds}000000`;
  const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });

  it.each([
    ['protobuf unless told otherwise', {}, 'application/x-protobuf'],
    ['JSON', { encoding: 'json' }, 'application/json'],
  ])('makes sums, gauges, histograms and summaries, in %s', async (_encoding, options, type) => {
    const { url, bodies, types } = await collector();
    const { offer } = await pushTo(url, {
      protocol: 'otlp_http',
      external_labels: { service_name: 'shop' },
      ...options,
    });
    const histogram = ownFamily('histogram', 'took', 'Took.', [
      [['path', '/', 'le', '0.1'], 2, '_bucket'],
      [['path', '/', 'le', '1'], 5, '_bucket'],
      [['path', '/', 'le', '+Inf'], 6, '_bucket'],
      [['path', '/'], 3.5, '_sum'],
      [['path', '/'], 6, '_count'],
    ]);
    const summary = ownFamily('summary', 'size', 'Size.', [
      [['quantile', '0.5'], 10],
      [[], 100, '_sum'],
      [[], 8, '_count'],
    ]);
    const gauge = ownFamily('gauge', 'depth', 'Depth.', [[[], 'NaN']]);
    await offer([requests([['code', '200'], 5]), gauge, histogram, summary], at);
    await until(() => bodies.length).toBe(1);
    expect(types).toEqual([type]);
    const head = { ...(type === 'application/json' && { attributes: [] }), timeUnixNano: nanos(at) };
    const start = { startTimeUnixNano: nanos(at) };
    expect(bodies[0]).toEqual({
      resourceMetrics: [
        {
          resource: { attributes: [text('service_name', 'shop')] },
          scopeMetrics: [
            {
              scope: { name: 'portico' },
              metrics: [
                {
                  name: 'requests_total',
                  description: 'Requests.',
                  sum: {
                    aggregationTemporality: 2,
                    isMonotonic: true,
                    dataPoints: [{ ...head, ...start, attributes: [text('code', '200')], asDouble: 5 }],
                  },
                },
                { name: 'depth', description: 'Depth.', gauge: { dataPoints: [{ ...head, asDouble: 'NaN' }] } },
                {
                  name: 'took',
                  description: 'Took.',
                  histogram: {
                    aggregationTemporality: 2,
                    dataPoints: [
                      {
                        ...head,
                        ...start,
                        attributes: [text('path', '/')],
                        count: '6',
                        sum: 3.5,
                        bucketCounts: ['2', '3', '1'],
                        explicitBounds: [0.1, 1],
                      },
                    ],
                  },
                },
                {
                  name: 'size',
                  description: 'Size.',
                  summary: {
                    dataPoints: [
                      { ...head, ...start, count: '8', sum: 100, quantileValues: [{ quantile: 0.5, value: 10 }] },
                    ],
                  },
                },
              ],
            },
          ],
        },
      ],
    });
  });

  it.each([
    ['protobuf', '3', 3],
    ['json', '3', 3],
    ['protobuf', '9223372036854775807', 4],
    ['json', '9223372036854775807', 4],
    ['protobuf', '-1', 0],
  ])('counts points that the receiver has refused, in %s: %s', async (encoding, rejectedDataPoints, counted) => {
    const { url, bodies } = await collector({ partialSuccess: { rejectedDataPoints, errorMessage: 'too old' } });
    const { offer, deps } = await pushTo(url, { protocol: 'otlp_http', encoding });
    await offer([requests(...['a', 'b', 'c', 'd'].map((code): [string[], number] => [['code', code], 5]))]);
    await until(() => deps.stats.render()).toContain('portico_metrics_push_samples_total{output="out"} 4');
    expect(await deps.stats.render()).toContain(
      `portico_metrics_push_rejected_points_total{output="out"} ${counted}\n`,
    );
    expect(bodies).toHaveLength(1);
  });

  it.each(['protobuf', 'json'])('has whole counts in %s, whatever the app says', async (encoding) => {
    const { url, bodies } = await collector();
    const { offer } = await pushTo(url, { protocol: 'otlp_http', encoding });
    const histogram = ownFamily('histogram', 'took', 'Took.', [
      [['le', '1'], 2.4, '_bucket'],
      [['le', '+Inf'], '1e300', '_bucket'],
      [[], 'NaN', '_sum'],
      [[], 2.6, '_count'],
    ]);
    await offer([histogram], at);
    await until(() => bodies.length).toBe(1);
    expect(JSON.stringify(bodies[0])).toContain('"count":"3","sum":"NaN","bucketCounts":["2","18446744073709551615"]');
  });

  it('says anew when counting began after a counter has gone back, and when a series has ended', async () => {
    const { url, bodies } = await collector();
    const { offer, push } = await pushTo(url, { protocol: 'otlp_http' });
    for (const [turn, value] of [5, 7, 1].entries()) await offer([requests([[], value])], at + turn * 1000);
    await push.close();
    const points = bodies.map((body) => {
      const { resourceMetrics } = body as {
        resourceMetrics: { scopeMetrics: { metrics: { sum: { dataPoints: object[] } }[] }[] }[];
      };
      return resourceMetrics[0]!.scopeMetrics[0]!.metrics[0]!.sum.dataPoints[0];
    });
    const starts = [at, at, at + 2000, at + 2000].map(nanos);
    expect(points).toMatchObject(starts.map((startTimeUnixNano) => ({ startTimeUnixNano })));
    expect(points[3]).toMatchObject({ flags: 1 });
    expect(points[3]).not.toHaveProperty('asDouble');
  });
});
