import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Recorder } from '../../src/conformance/recorder.ts';
import { FrameClient } from '../conformance/h2-client.ts';
import { block, frame, numbers, request, setting, settings, type Frame } from '../conformance/h2-frames.ts';
import { startPortico, type Portico } from '../support/portico.ts';
import { scriptedUpstream } from '../support/scripted-upstream.ts';

const none = Buffer.alloc(0);

interface World {
  readonly portico: Portico;
  readonly recorder: Recorder;
  client(): FrameClient;
}

async function world(options = '', app?: number): Promise<World> {
  const recorder = await Recorder.start();
  onTestFinished(() => recorder.stop());
  const portico = await startPortico(
    `listeners: [{ name: http, address: 127.0.0.1:0${options} }]
http_filters: []
clusters: [{ name: app, endpoints: ['127.0.0.1:${app ?? recorder.port}'] }]`,
  );
  return {
    portico,
    recorder,
    client() {
      const client = new FrameClient(connect(portico.port(), '127.0.0.1'));
      onTestFinished(() => {
        client.socket.destroy();
      });
      return client;
    },
  };
}

/** A client that has shaken hands. */
async function ready({ client }: World, ...own: readonly Buffer[]): Promise<FrameClient> {
  const ready = client();
  ready.begin(Buffer.concat(own));
  await ready.until(({ frames }) => frames.some(({ type }) => type === 'SETTINGS'));
  return ready.write(frame('SETTINGS', 0, ['ACK']));
}

function get(stream: number, path = '/'): Buffer {
  return frame('HEADERS', stream, ['END_STREAM', 'END_HEADERS'], request('GET', path));
}

/** The head of a request whose content follows. */
function post(stream: number, ...fields: [string, string][]): Buffer {
  return frame('HEADERS', stream, ['END_HEADERS'], request('POST', '/upload', ...fields));
}

function reset(stream: number): Buffer {
  return frame('RST_STREAM', stream, [], numbers(8));
}

/** Content of so many bytes, each in a frame of its own. */
function times(count: number, make: (index: number) => Buffer): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, index) => make(index)));
}

/** Stream of a request by its number, from 0. */
function nth(index: number): number {
  return 2 * index + 1;
}

/** A large field in the dynamic table, and thousands of references to it. */
const bomb = Buffer.concat([
  request('GET', '/'),
  Buffer.from([0x40, 1, 'a'.charCodeAt(0), 127, ...leb(3900 - 127)]),
  Buffer.alloc(3900, 'x'),
  Buffer.alloc(8000, 0xbe),
]);

/** Answers a canary on a connection of its own: whatever was done, others are served. */
async function stillServes(there: World): Promise<void> {
  const client = await ready(there);
  client.write(get(1, '/canary'));
  await client.until(() => client.answered(1));
  expect(client.saw()).toEqual(['200']);
}

/** Sends in small writes, until the other side has had enough. */
async function keepSending(client: FrameClient, most: number, make: (index: number) => Buffer): Promise<void> {
  for (let at = 0; at < most && !client.closed; at += 20) {
    client.write(times(20, (index) => make(at + index)));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('an HTTP/2 flood ends the connection, without a request to the app', () => {
  it.each([
    // CVE-2023-44487
    ['HEADERS and RST_STREAM', (at: number) => Buffer.concat([get(nth(at)), reset(nth(at))]), 3000, 'rapid_reset'],
    // CVE-2025-8671: resets that we are made to send.
    ['WINDOW_UPDATE 0', (at: number) => Buffer.concat([post(nth(at)), increment(nth(at), 0)]), 1500, 'rapid_reset'],
    [
      'WINDOW_UPDATE beyond 2^31-1',
      (at: number) => Buffer.concat([post(nth(at)), increment(nth(at), 0x7fffffff)]),
      1500,
      'rapid_reset',
    ],
    [
      'DATA on a stream that has ended',
      (at: number) => Buffer.concat([get(nth(at)), frame('DATA', nth(at), [], Buffer.of(1))]),
      1500,
      'rapid_reset',
    ],
    [
      'contents shorter than their content-length',
      (at: number) =>
        Buffer.concat([post(nth(at), ['content-length', '5']), frame('DATA', nth(at), ['END_STREAM'], Buffer.of(1))]),
      2000,
      'rapid_reset',
    ],
    [
      'malformed heads',
      (at: number) =>
        frame('HEADERS', nth(at), ['END_STREAM', 'END_HEADERS'], request('GET', '/', ['connection', 'x'])),
      2000,
      'rapid_reset',
    ],
    // CVE-2019-9512, 9515, 9513
    ['PING', () => frame('PING', 0, [], numbers(1, 2)), 20_000, 'control_flood'],
    ['acknowledgements of no PING', () => frame('PING', 0, ['ACK'], numbers(1, 2)), 20_000, 'control_flood'],
    ['SETTINGS', () => frame('SETTINGS', 0), 20_000, 'control_flood'],
    [
      'PRIORITY',
      (at: number) => frame('PRIORITY', nth(at), [], Buffer.concat([numbers(0), Buffer.of(5)])),
      20_000,
      'overhead_flood',
    ],
    ['RST_STREAM of streams that are over', (at: number) => (at === 0 ? get(1) : reset(1)), 20_000, 'overhead_flood'],
    ['frames of unknown type', () => Buffer.from('000000fa0000000001', 'hex'), 20_000, 'overhead_flood'],
    ['WINDOW_UPDATE of a stream', (at: number) => (at === 0 ? post(1) : increment(1, 1)), 20_000, 'overhead_flood'],
    ['empty DATA', (at: number) => (at === 0 ? post(1) : frame('DATA', 1)), 20_000, 'overhead_flood'],
    [
      'DATA that is mostly padding',
      (at: number) =>
        at === 0 ? post(1) : frame('DATA', 1, ['PADDED'], Buffer.concat([Buffer.of(9), Buffer.alloc(10)])),
      20_000,
      'overhead_flood',
    ],
    // CVE-2016-6581, ten of them in a row.
    ['HPACK bombs', (at: number) => frame('HEADERS', nth(at), ['END_STREAM', 'END_HEADERS'], bomb), 40, 'rapid_reset'],
  ])('%s', async (_, make, count, details) => {
    const there = await world();
    const client = await ready(there);
    await keepSending(client, count, make);
    await client.ended;
    expect(client.saw().at(-1)).toBe('GOAWAY ENHANCE_YOUR_CALM');
    expect(client.saw().filter((seen) => /^\d/.test(seen))).toEqual([]);
    expect(
      await there.portico.metric(`portico_http_protocol_errors_total{listener="http",details="http2_${details}"}`),
    ).toBe(1);
    await stillServes(there);
    expect(there.recorder.requests.filter(({ target, complete }) => target !== '/canary' && complete)).toEqual([]);
  });

  it.each([
    // CVE-2024-27316
    ['CONTINUATION with fields', times(2000, () => frame('CONTINUATION', 1, [], block([['a', 'x'.repeat(1000)]])))],
    ['empty CONTINUATION', times(20_000, () => frame('CONTINUATION', 1))],
  ])('%s', async (_, frames) => {
    const there = await world();
    const client = await ready(there);
    client.write(frame('HEADERS', 1, ['END_STREAM'], request('GET', '/')), frames);
    await client.ended;
    expect(client.saw()).toEqual(['GOAWAY ENHANCE_YOUR_CALM']);
    expect(there.recorder.requests).toEqual([]);
    await stillServes(there);
  });

  it('resets are answered with ENHANCE_YOUR_CALM after a hundred, and are counted', async () => {
    const there = await world();
    const client = await ready(there);
    for (let at = 0; !client.closed && at < 300; at++) {
      client.write(get(nth(at)), reset(nth(at)));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await client.ended;
    expect(client.saw().at(-1)).toBe('GOAWAY ENHANCE_YOUR_CALM');
    expect(
      await there.portico.metric('portico_http_protocol_errors_total{listener="http",details="http2_rapid_reset"}'),
    ).toBe(1);
    expect(there.recorder.requests.length).toBeLessThan(200);
  });

  it('WINDOW_UPDATE without end are answered with ENHANCE_YOUR_CALM', async () => {
    const there = await world();
    const client = await ready(there);
    const some = times(10_000, () => increment(0, 1));
    while (!client.closed) {
      client.write(some);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(
      await there.portico.metric('portico_http_protocol_errors_total{listener="http",details="http2_overhead_flood"}'),
    ).toBe(1);
    await stillServes(there);
  });

  it('more streams at once than allowed are refused before the app hears of them', async () => {
    const there = await world(', max_concurrent_streams: 10');
    const client = await ready(there);
    client.write(times(50, (at) => post(nth(at))));
    await client.until(({ frames }) => frames.filter(({ type }) => type === 'RST_STREAM').length >= 40);
    expect(client.saw()).toEqual(Array.from({ length: 40 }, () => 'RST REFUSED_STREAM'));
    expect(there.recorder.requests.length).toBeLessThanOrEqual(10);
    // Who goes on is in no doubt about the limit.
    client.write(times(100, (at) => post(nth(50 + at))));
    await client.ended;
    expect(client.saw().at(-1)).toBe('GOAWAY ENHANCE_YOUR_CALM');
    await stillServes(there);
  });

  it.each([
    // CVE-2016-6581: a large field in the dynamic table, and thousands of references to it.
    ['an HPACK bomb', bomb],
    ['a thousand fields', request('GET', '/', ...Array.from({ length: 1000 }, () => ['a', 'b'] as [string, string]))],
  ])('%s is refused, and costs no memory', async (_, head) => {
    const there = await world();
    const client = await ready(there);
    const before = process.memoryUsage().arrayBuffers;
    client.write(frame('HEADERS', 1, ['END_STREAM', 'END_HEADERS'], head));
    await client.until(({ frames }) => frames.some(({ type }) => type === 'RST_STREAM' || type === 'GOAWAY'));
    expect(client.saw()).toEqual(['RST ENHANCE_YOUR_CALM']);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * 1024 * 1024);
    expect(there.recorder.requests).toEqual([]);
    await stillServes(there);
  });
});

describe('an HTTP/2 client that stalls', () => {
  it.each([
    ['without a request', () => none, 'request_headers_timeout: 200ms'],
    [
      'in the middle of a head',
      () => frame('HEADERS', 1, ['END_STREAM'], request('GET', '/')),
      'request_headers_timeout: 200ms',
    ],
  ])('%s is sent away', async (_, frames, options) => {
    const there = await world(`, ${options}`);
    const client = there.client();
    client.begin(none, frames());
    await client.ended;
    await stillServes(there);
  });

  it('with its content is answered 408, whole or in drops', async () => {
    const there = await world(', request_timeout: 300ms');
    const client = await ready(there);
    client.write(post(1), frame('DATA', 1, [], Buffer.of(1)));
    await client.until(() => client.frames.some(isReset(1)));
    expect(client.saw(1)).toEqual(['408 request_timeout', 'RST NO_ERROR']);
    expect(there.recorder.requests.every(({ complete }) => !complete)).toBe(true);
    client.write(get(3));
    await client.until(() => client.answered(3));
    expect(client.saw(3)).toEqual(['200']);
  });

  it('on one stream does not read: that stream is cut, and its siblings are served', async () => {
    const there = await world(', stream_flush_timeout: 300ms');
    big(there.recorder);
    const client = await ready(there, setting(settings.INITIAL_WINDOW_SIZE, 0));
    client.write(get(1, '/big'), get(3, '/big'), increment(3, 1024 * 1024), increment(0, 1024 * 1024));
    await client.until(() => client.answered(3) && client.frames.some(isReset(1)));
    expect(client.content(3).length).toBe(100_000);
    expect(client.content(1).length).toBe(0);
    expect(client.saw(1)).toEqual(['200', 'RST INTERNAL_ERROR']);
    client.write(get(5), increment(5, 1024));
    await client.until(() => client.answered(5));
  });

  it('opens its window byte by byte: that stream is cut after stream_idle_timeout', async () => {
    const there = await world(', stream_idle_timeout: 400ms');
    big(there.recorder);
    const client = await ready(there, setting(settings.INITIAL_WINDOW_SIZE, 0));
    client.write(get(1, '/big'));
    const timer = setInterval(() => client.write(increment(1, 1)), 50);
    onTestFinished(() => clearInterval(timer));
    await client.until(() => client.frames.some(isReset(1)));
    clearInterval(timer);
    expect(client.content(1).length).toBeLessThan(50);
  });

  it('with fifty answers at once has no more of them held in memory than the windows allow', async () => {
    const there = await world(', stream_flush_timeout: 300ms');
    big(there.recorder, 1024 * 1024);
    const client = await ready(there, setting(settings.INITIAL_WINDOW_SIZE, 0));
    const before = process.memoryUsage();
    client.write(times(50, (at) => get(nth(at), '/big')));
    await client.until(({ frames }) => frames.filter(({ type }) => type === 'HEADERS').length >= 10);
    const after = process.memoryUsage();
    expect(after.external + after.arrayBuffers - before.external - before.arrayBuffers).toBeLessThan(20 * 1024 * 1024);
    await client.until(({ frames }) => frames.filter(({ type }) => type === 'RST_STREAM').length >= 50);
    expect(await there.portico.metric('portico_http_active_exchanges{listener="http"}')).toBe(0);
  });

  it('never acknowledges our settings but asks on: it is served, and sent away once it is through', async () => {
    const there = await world(', request_headers_timeout: 200ms, idle_timeout: 200ms');
    const client = there.client();
    client.begin(none, get(1));
    await client.until(() => client.answered(1));
    await client.ended;
  });

  it('ends its side of the connection: the other side ends as well, and the app is asked no more', async () => {
    const there = await world();
    const aborted = new Promise<void>((resolve) => {
      there.recorder.respond = (_asked, socket) => {
        socket.once('close', resolve);
        client.socket.end();
      };
    });
    const client = await ready(there);
    client.write(get(1));
    await aborted;
    await client.ended;
  });

  it('says GOAWAY and goes on asking: nothing is lost or leaked', async () => {
    const there = await world();
    const client = await ready(there);
    client.write(frame('GOAWAY', 0, [], numbers(0, 0)), get(1), get(3));
    await client.ended;
    await stillServes(there);
    expect(await there.portico.metric('portico_http_active_exchanges{listener="http"}')).toBe(0);
  });
});

describe('an HTTP/2 upload that breaks off never looks complete to the app', () => {
  const endings: readonly [string, (client: FrameClient) => void][] = [
    ['RST_STREAM CANCEL', (client) => client.write(reset(1))],
    ['RST_STREAM NO_ERROR', (client) => client.write(frame('RST_STREAM', 1, [], numbers(0)))],
    [
      'GOAWAY and the end of the connection',
      (client) => client.write(frame('GOAWAY', 0, [], numbers(0, 0))).socket.end(),
    ],
    ['FIN', (client) => client.socket.end()],
    ['RST of TCP', (client) => client.socket.resetAndDestroy()],
    ['a connection error', (client) => client.write(increment(0, 0))],
    ['trailers that are malformed', (client) => client.write(trailers([':path', '/admin']))],
  ];
  const framings: readonly [string, [string, string][]][] = [
    ['with content-length', [['content-length', '10']]],
    ['without content-length', []],
  ];

  it.each(endings.flatMap(([how, end]) => framings.map(([framing, fields]) => [how, framing, end, fields] as const)))(
    '%s, %s',
    async (_how, _framing, end, fields) => {
      const app = await scriptedUpstream(async (connection) => {
        await connection.until('hello');
      });
      onTestFinished(() => app.close());
      const there = await world('', app.port);
      const client = await ready(there);
      client.write(post(1, ...fields), frame('DATA', 1, [], Buffer.from('hello')));
      const upload = await app.connection(0);
      await upload.until('hello');
      end(client);
      await upload.closed;
      const [head, content] = upload.text.split('\r\n\r\n', 2);
      expect(head).toMatch(fields.length > 0 ? /\ncontent-length: 10$/m : /\ntransfer-encoding: chunked$/m);
      expect(content).toBe(fields.length > 0 ? 'hello' : '5\r\nhello\r\n');
      expect(upload.text.endsWith(content!)).toBe(true);
      expect(app.connections.length).toBe(1);
    },
  );
});

function increment(stream: number, by: number): Buffer {
  return frame('WINDOW_UPDATE', stream, [], numbers(by));
}

function trailers(...fields: [string, string][]): Buffer {
  return frame('HEADERS', 1, ['END_STREAM', 'END_HEADERS'], block(fields));
}

function isReset(stream: number): (frame: Frame) => boolean {
  return (one) => one.type === 'RST_STREAM' && one.stream === stream;
}

/** The app answers /big with so many bytes. */
function big(recorder: Recorder, bytes = 100_000): void {
  const { respond } = recorder;
  const content = Buffer.alloc(bytes, 'x');
  recorder.respond = (asked, socket) => {
    if (asked.target !== '/big') return respond(asked, socket);
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`);
    socket.write(content);
  };
}

/** RFC 7541 §5.1, behind a full prefix. */
function leb(value: number): number[] {
  const bytes: number[] = [];
  let left = value;
  for (; left >= 128; left >>= 7) bytes.push((left & 127) | 128);
  return [...bytes, left];
}
