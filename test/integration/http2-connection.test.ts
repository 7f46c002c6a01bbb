import { connect, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { BodyStream, BytesBody, Headers, localReply, type Downstream, type Response } from '../../src/http/index.ts';
import { Http2Codec } from '../../src/listener/http2/codec.ts';
import { FrameClient } from '../conformance/h2-client.ts';
import {
  block,
  frame,
  has,
  numbers,
  preface,
  readFrames,
  request,
  setting,
  settings,
  type Frame,
} from '../conformance/h2-frames.ts';
import { startListener, type TestListenerOptions } from '../support/listener-harness.ts';

async function world(options: TestListenerOptions = {}, own: Buffer = Buffer.alloc(0)) {
  const started = await startListener(options);
  const client = new FrameClient(connect(started.port, '127.0.0.1'));
  onTestFinished(() => {
    client.socket.destroy();
  });
  client.begin(own);
  await client.until(({ frames }) => frames.some(({ type, flags }) => type === 'SETTINGS' && flags === 1));
  client.write(frame('SETTINGS', 0, ['ACK']));
  return { ...started, client };
}

/** A socket whose client reads nothing until it is released. */
class HeldSocket extends Duplex {
  readonly written: Buffer[] = [];
  #held: (() => void) | undefined;
  #released = false;

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written.push(chunk);
    if (this.#released) done();
    else this.#held = done;
  }

  release(): void {
    this.#released = true;
    this.#held?.();
  }
}

const nobody: Downstream = {
  listener: 'test',
  connectionId: 1,
  remoteAddress: '127.0.0.1',
  remotePort: 1,
  localAddress: '127.0.0.1',
  localPort: 2,
  tls: undefined,
};

function get(stream: number, path = '/', ...fields: [string, string][]): Buffer {
  return frame('HEADERS', stream, ['END_STREAM', 'END_HEADERS'], request('GET', path, ...fields));
}

function post(stream: number, ...fields: [string, string][]): Buffer {
  return frame('HEADERS', stream, ['END_HEADERS'], request('POST', '/', ...fields));
}

function increment(stream: number, by: number): Buffer {
  return frame('WINDOW_UPDATE', stream, [], numbers(by));
}

function large(bytes: number): Response {
  return { status: 200, headers: new Headers(), body: new BytesBody(Buffer.alloc(bytes, 'x')) };
}

function dataOf({ frames }: FrameClient, stream?: number): Frame[] {
  return frames.filter((one) => one.type === 'DATA' && (stream === undefined || one.stream === stream));
}

/** Lets the clock run on; the first look behind it is excused, because the process might have been paused. */
function later(milliseconds: number): void {
  const now = performance.now.bind(performance);
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + milliseconds);
  onTestFinished(() => clock.mockRestore());
}

describe('HTTP/2 requests that are malformed', () => {
  it.each<[string, Buffer, string]>([
    ['a line end in a value', get(1, '/', ['x', 'a\r\nb']), 'header_value_invalid'],
    ['a field of a connection', get(1, '/', ['connection', 'close']), 'connection_field'],
    ['a name in upper case', get(1, '/', ['X', 'a']), 'header_name_invalid'],
    ['a space before a value', get(1, '/', ['x', ' a']), 'header_value_invalid'],
    ['a path that is none', get(1, 'x'), 'path_not_absolute'],
    [
      'less content than announced',
      frame('HEADERS', 1, ['END_STREAM', 'END_HEADERS'], request('POST', '/', ['content-length', '1'])),
      'content_length_mismatch',
    ],
    [
      'more content than announced',
      Buffer.concat([post(1, ['content-length', '1']), frame('DATA', 1, [], Buffer.of(1, 2))]),
      'content_length_mismatch',
    ],
    [
      'a field of framing in trailers',
      Buffer.concat([post(1), frame('HEADERS', 1, ['END_STREAM', 'END_HEADERS'], block([['content-length', '0']]))]),
      'trailer_forbidden',
    ],
    [
      'trailers that are not the end',
      Buffer.concat([post(1), frame('HEADERS', 1, ['END_HEADERS'], block([['x', 'y']]))]),
      'trailers_without_end',
    ],
  ])('%s: the stream is reset, and the log says why', async (_, frames, details) => {
    const { client, logs, answered, stats } = await world();
    client.write(frames);
    await client.until(({ frames: seen }) => seen.some(({ type }) => type === 'RST_STREAM'));
    expect(client.saw()).toEqual(['RST PROTOCOL_ERROR']);
    const [exchange] = await logs(1);
    expect(exchange).toMatchObject({ responseCodeDetails: details, responseFlags: ['DPE'], response: { status: 400 } });
    expect(answered).toEqual([]);
    expect(await stats.render()).toContain(
      `portico_http_protocol_errors_total{listener="test",details="${details}"} 1\n`,
    );
    client.write(get(3));
    await client.until(() => client.answered(3));
  });

  it('a head above max_header_bytes is answered 431, and the tables of both sides stay in step', async () => {
    const { client, logs } = await world({ config: { max_header_bytes: '1KiB' } });
    const kept = Buffer.concat([Buffer.from('4003782d6203796573', 'hex')]);
    client.write(
      frame(
        'HEADERS',
        1,
        ['END_STREAM', 'END_HEADERS'],
        Buffer.concat([request('GET', '/', ['x-a', 'y'.repeat(1500)]), kept]),
      ),
      frame('HEADERS', 3, ['END_STREAM', 'END_HEADERS'], Buffer.concat([request('GET', '/'), Buffer.of(0xbe)])),
    );
    await client.until(() => client.answered(1) && client.answered(3));
    expect(client.saw(1)).toEqual(['431 header_section_too_large']);
    const logged = await logs(2);
    expect(logged.find(({ responseCodeDetails }) => responseCodeDetails === 'ok')!.request.headers.get('x-b')).toBe(
      'yes',
    );
  });
});

describe('what an HTTP/2 connection writes', () => {
  it('in one round of the event loop leaves in one write', async () => {
    const { client } = await world();
    let chunks = 0;
    client.socket.on('data', () => chunks++);
    client.write(...Array.from({ length: 20 }, (_, at) => get(2 * at + 1)));
    await client.until(() => client.answered(39));
    expect(chunks).toBeLessThanOrEqual(3);
    expect(client.frames.filter((one) => has(one, 'END_STREAM') && one.type === 'DATA')).toHaveLength(20);
  });

  it('is content of all streams by turns, and a stream without a window holds up nobody', async () => {
    const { client } = await world({ answer: () => large(200_000) }, setting(settings.INITIAL_WINDOW_SIZE, 0));
    client.write(get(1), get(3), get(5), increment(0, 2 ** 20), increment(3, 2 ** 20), increment(5, 2 ** 20));
    await client.until(() => client.answered(3) && client.answered(5));
    const order = dataOf(client).map(({ stream }) => stream);
    expect(order).not.toContain(1);
    // Neither gets ahead by more than a frame.
    for (let at = 0; at < order.length; at++) {
      const threes = order.slice(0, at).filter((stream) => stream === 3).length;
      expect(Math.abs(2 * threes - at)).toBeLessThanOrEqual(2);
    }
    expect(client.content(3).length).toBe(200_000);
    client.write(increment(1, 200_000));
    await client.until(() => client.answered(1));
    expect(client.content(1).length).toBe(200_000);
  });

  it('stays within the windows, also when settings make them negative', async () => {
    const { client } = await world({ answer: () => large(100_000) });
    client.write(get(1));
    await client.until(() => client.content(1).length === 65_535);
    client.write(increment(0, 100_000), frame('SETTINGS', 0, [], setting(settings.INITIAL_WINDOW_SIZE, 1000)));
    client.write(increment(1, 64_535), frame('PING', 0, [], numbers(1, 1)));
    await client.until(({ frames }) => frames.some(({ type }) => type === 'PING'));
    expect(client.content(1).length).toBe(65_535);
    client.write(increment(1, 10));
    await client.until(() => client.content(1).length === 65_545);
    client.write(increment(1, 100_000));
    await client.until(() => client.answered(1));
    expect(client.content(1).length).toBe(100_000);
  });
});

describe('what an HTTP/2 client may send', () => {
  it('is no more than somebody takes', async () => {
    let read: () => void = () => {};
    const { client } = await world({
      answer: ({ request: { body } }) =>
        new Promise((resolve) => {
          read = () => body.pipe({ data: () => true, end: () => resolve(localReply(200, 'ok')), error: () => {} });
        }),
    });
    client.write(post(1));
    const piece = frame('DATA', 1, [], Buffer.alloc(16_384));
    const opened = () =>
      client.frames
        .filter((one) => one.type === 'WINDOW_UPDATE' && one.stream === 1)
        .reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0);
    for (let sent = 0; sent < 16; sent++) client.write(piece);
    client.write(frame('PING', 0, [], numbers(1, 1)));
    await client.until(({ frames }) => frames.some(({ type }) => type === 'PING'));
    expect(opened()).toBe(0);
    read();
    await client.until(() => opened() >= 128 * 1024);
    for (let sent = 0; sent < 8; sent++) client.write(piece);
    client.write(frame('DATA', 1, ['END_STREAM']));
    await client.until(() => client.answered(1));
    expect(client.saw(1)).toEqual(['200']);
  });

  it('beyond its window is an error of the stream', async () => {
    const { client, logs } = await world({ answer: () => new Promise(() => {}) });
    client.write(post(1), ...Array.from({ length: 17 }, () => frame('DATA', 1, [], Buffer.alloc(16_384))));
    await client.until(({ frames }) => frames.some(({ type }) => type === 'RST_STREAM'));
    expect(client.saw()).toEqual(['RST FLOW_CONTROL_ERROR']);
    expect((await logs(1))[0]!.responseCodeDetails).toBe('http2_window_exceeded');
  });

  it('is not asked for any more once the app wants no more, while its answer goes on', async () => {
    const { client } = await world({
      answer: ({ request: { body } }) => {
        body.cancel(new Error('enough'));
        return { ...localReply(200, 'ok'), body: new BodyStream(undefined, { resume: () => {}, cancel: () => {} }) };
      },
    });
    client.write(post(1));
    await client.until(() => client.saw(1).includes('200'));
    const pieces = Array.from({ length: 16 }, () => frame('DATA', 1, [], Buffer.alloc(16_384)));
    client.write(...pieces, frame('PING', 0, [], numbers(1, 1)));
    await client.until(({ frames }) => frames.some(({ type }) => type === 'PING'));
    expect(client.frames.some((one) => one.type === 'WINDOW_UPDATE' && one.stream === 1)).toBe(false);
  });

  it('is not read while it does not read its answers', async () => {
    const { client, answered, stats } = await world({
      answer: () => localReply(200, 'ok', { headers: { 'x-large': 'x'.repeat(8000) }, body: '' }),
      config: { stream_flush_timeout: '500ms' },
    });
    client.socket.pause();
    const closed = new Promise((resolve) => client.socket.on('close', resolve));
    // Four streams a time: none is refused because of those before it.
    for (let at = 0; at < 2500 && !client.closed; at++) {
      client.write(...[0, 1, 2, 3].map((index) => get(8 * at + 2 * index + 1)));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await expect
      .poll(async () => stats.render(), { timeout: 10_000 })
      .toContain('portico_listener_connections_cut_total{listener="test",reason="stream_flush_timeout"} 1');
    // 10,000 would be 80 MB.
    expect(answered.length).toBeLessThan(3000);
    client.socket.resume();
    await closed;
  });

  it('and the app has not read, opens the window of the connection again when it is answered', async () => {
    let answer: (response: Response) => void = () => {};
    const { client, answered } = await world({
      answer: ({ request: { body } }) => {
        body.pipe({ data: () => false, end: () => {}, error: () => {} });
        return new Promise((resolve) => (answer = resolve));
      },
    });
    for (let nth = 0; nth < 10; nth++) {
      const stream = 2 * nth + 1;
      const pieces = Array.from({ length: 15 }, () => frame('DATA', stream, [], Buffer.alloc(16_384)));
      client.write(post(stream));
      await vi.waitUntil(() => answered.length > nth);
      client.write(...pieces, frame('DATA', stream, ['END_STREAM']), frame('PING', 0, [], numbers(1, nth)));
      await client.until(({ frames }) => frames.filter(({ type }) => type === 'PING').length > nth);
      answer(localReply(200, 'ok'));
      await client.until(() => client.answered(stream));
    }
    expect(client.saw().every((seen) => seen === '200')).toBe(true);
  });

  it('on streams that were given up opens the window of the connection again', async () => {
    const { client } = await world({ filters: [{ onRequest: () => localReply(401, 'no_token') }] });
    for (let stream = 1; stream < 30; stream += 2) {
      client.write(post(stream), ...Array.from({ length: 10 }, () => frame('DATA', stream, [], Buffer.alloc(16_384))));
      await client.until(() => client.saw(stream).includes('RST NO_ERROR'));
    }
    expect(client.saw().some((seen) => seen.startsWith('GOAWAY'))).toBe(false);
  });
});

describe('the end of an HTTP/2 connection', () => {
  it('is announced, and comes when the client has heard of it and the last answer is out', async () => {
    let answer: (response: Response) => void = () => {};
    const { client, listener } = await world({ answer: () => new Promise((resolve) => (answer = resolve)) });
    client.write(get(1));
    await vi.waitUntil(() => listener.show().active_exchanges === 1);
    const closed = listener.close(10_000);
    await client.until(({ frames }) => frames.some(({ type }) => type === 'PING'));
    const [goaway, ping] = client.frames.filter(({ type }) => type === 'GOAWAY' || type === 'PING');
    expect(goaway!.payload.toString('hex')).toBe('7fffffff00000000');
    // Not refused: it may have crossed the GOAWAY.
    client.write(frame('PING', 0, ['ACK'], ping!.payload));
    await client.until(({ frames }) => frames.filter(({ type }) => type === 'GOAWAY').length === 2);
    client.write(get(3));
    await client.until(() => client.saw(3).includes('RST REFUSED_STREAM'));
    answer(localReply(200, 'ok'));
    await client.ended;
    expect(client.frames.filter(({ type }) => type === 'GOAWAY')[1]!.payload.toString('hex')).toBe('0000000100000000');
    expect(client.answered(1)).toBe(true);
    expect(await closed).toEqual({ forced: 0 });
  });

  it('waits for a client that has not read the last answer yet, longer than it lingers behind it', async () => {
    let codec: Http2Codec | undefined;
    const { logs } = await startListener({ http2: (context) => (codec = new Http2Codec(context)) });
    const socket = new HeldSocket();
    codec!.accept(socket as unknown as Socket, nobody);
    socket.push(Buffer.concat([preface, frame('SETTINGS', 0), frame('SETTINGS', 0, ['ACK']), get(1)]));
    await logs(1);
    socket.push(frame('GOAWAY', 0, [], numbers(0, 0)));
    await vi.waitUntil(() => socket.writableEnded);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(socket.destroyed).toBe(false);
    const closed = new Promise((resolve) => socket.on('close', resolve));
    socket.release();
    await closed;
    expect(readFrames(Buffer.concat(socket.written)).frames.at(-1)!.type).toBe('GOAWAY');
  });

  it('by an error reaches a client that goes on sending, and the socket is closed within a second', async () => {
    const { client } = await world();
    const began = performance.now();
    client.write(frame('PING', 1, [], numbers(1, 1)));
    const timer = setInterval(() => client.write(frame('PING', 0, [], numbers(1, 1))), 10);
    onTestFinished(() => clearInterval(timer));
    const closed = new Promise((resolve) => client.socket.on('close', resolve));
    await closed;
    expect(client.saw()).toEqual(['GOAWAY PROTOCOL_ERROR']);
    expect(performance.now() - began).toBeLessThan(3000);
  });
});

describe('a client that reads more slowly than min_response_rate', () => {
  const config = { stream_flush_timeout: '0s', stream_idle_timeout: '0s', min_response_rate: 1000 };

  it('over HTTP/2, by its window, loses the stream', async () => {
    const { client, logs } = await world(
      { answer: () => large(100_000), config },
      setting(settings.INITIAL_WINDOW_SIZE, 0),
    );
    client.write(get(1), increment(1, 1));
    await client.until(() => client.content(1).length === 1);
    await new Promise((resolve) => setTimeout(resolve, 300));
    later(61_000);
    await client.until(({ frames }) => frames.some(({ type }) => type === 'RST_STREAM'));
    expect((await logs(1))[0]).toMatchObject({ responseCodeDetails: 'response_too_slow', responseFlags: ['SI'] });
  });

  it('over HTTP/2, by the window of the connection, loses the connection', async () => {
    const { client, logs } = await world(
      { answer: () => large(100_000), config },
      setting(settings.INITIAL_WINDOW_SIZE, 2 ** 20),
    );
    client.write(get(1));
    await client.until(() => client.content(1).length === 65_535);
    await new Promise((resolve) => setTimeout(resolve, 300));
    later(61_000);
    await client.ended;
    expect((await logs(1))[0]).toMatchObject({ responseCodeDetails: 'response_too_slow', responseFlags: ['SI'] });
  });

  it('over HTTP/1 loses the connection; one that has nothing to read does not', async () => {
    const endless = () => {
      const body: BodyStream = new BodyStream(undefined, { resume: () => fill(), cancel: () => (open = false) });
      let open = true;
      const fill = () => {
        while (open && body.push(Buffer.alloc(65_536)));
      };
      setImmediate(fill);
      return { ...localReply(200, 'ok'), body };
    };
    const { port, logs } = await startListener({
      config,
      answer: ({ request: { path } }) => (path === '/silent' ? new Promise(() => {}) : endless()),
    });
    const [slow, silent] = ['/', '/silent'].map((path) => {
      const socket = connect(port, '127.0.0.1');
      onTestFinished(() => {
        socket.destroy();
      });
      socket.on('error', () => {});
      socket.write(`GET ${path} HTTP/1.1\r\nHost: t\r\n\r\n`);
      return socket;
    });
    await new Promise((resolve) => slow!.once('readable', resolve));
    await new Promise((resolve) => setTimeout(resolve, 300));
    later(61_000);
    expect((await logs(1))[0]).toMatchObject({ responseCodeDetails: 'response_too_slow', responseFlags: ['SI'] });
    expect(silent!.destroyed).toBe(false);
  });
});
