import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { bodyFrom, BytesBody, Headers, localReply } from '../../src/http/index.ts';
import { http2Codecs } from '../support/http2-codecs.ts';
import { echo, RawClient, startListener, type Seen, type TestListenerOptions } from '../support/listener-harness.ts';

async function connected(options: TestListenerOptions = {}) {
  const started = await startListener(options);
  const client = connect(`http://127.0.0.1:${started.port}`);
  client.on('error', () => {});
  onTestFinished(() => client.destroy());
  return { ...started, client };
}

const preface = '505249202a20485454502f322e300d0a0d0a534d0d0a0d0a000000040000000000';

/** A frame on stream 1, in hexadecimal. */
function frame(type: number, flags: number, payload: string): string {
  const head = Buffer.from([0, 0, payload.length / 2, type, flags, 0, 0, 0, 1]);
  return head.toString('hex') + payload;
}

interface Answered {
  status: number;
  headers: Record<string, unknown>;
  rawNames: string[];
  body: string;
  trailers: Record<string, unknown> | undefined;
  informs: number[];
  rstCode: number;
}

function ask(
  client: ClientHttp2Session,
  headers: Record<string, string>,
  body?: string | ((stream: ClientHttp2Stream) => void),
): Promise<Answered> {
  const stream = client.request({ ':path': '/', ...headers }, { endStream: body === undefined });
  return answerOf(stream, () => {
    if (typeof body === 'string') stream.end(body);
    else body?.(stream);
  });
}

function answerOf(stream: ClientHttp2Stream, begin: () => void): Promise<Answered> {
  return new Promise((resolve) => {
    const answered: Answered = {
      status: 0,
      headers: {},
      rawNames: [],
      body: '',
      trailers: undefined,
      informs: [],
      rstCode: 0,
    };
    stream.on('headers', (fields) => answered.informs.push(Number(fields[':status'])));
    stream.on('response', (fields, _flags, raw?: string[]) => {
      answered.status = Number(fields[':status']);
      answered.headers = fields;
      answered.rawNames = (raw ?? []).filter((_, at) => at % 2 === 0);
    });
    stream.on('data', (chunk: Buffer) => (answered.body += chunk.toString('latin1')));
    stream.on('trailers', (fields) => (answered.trailers = fields));
    stream.on('error', () => {});
    stream.on('close', () => {
      answered.rstCode = stream.rstCode ?? -1;
      resolve(answered);
    });
    begin();
  });
}

describe.each(http2Codecs)('HTTP/2 (%s)', (_, http2) => {
  const session = (options: TestListenerOptions = {}) => connected({ ...options, http2 });

  it('requests become the same exchange as HTTP/1 ones, with the crumbs of cookies joined', async () => {
    const { client, logs } = await session({ answer: echo });
    const { status, body } = await ask(
      client,
      { ':method': 'POST', ':path': '/a/%2e%2e/b?q', ':authority': 'Example.org', 'x-a': '1', cookie: 'a=1' },
      'hello',
    );
    expect(status).toBe(200);
    const seen = JSON.parse(body) as Seen;
    expect(seen).toMatchObject({
      method: 'POST',
      scheme: 'http',
      authority: 'example.org',
      path: '/b?q',
      body: 'hello',
    });
    expect(seen.headers).toEqual([
      ['x-a', '1'],
      ['cookie', 'a=1'],
      ['via', '2 portico'],
      ['x-forwarded-for', '127.0.0.1'],
      ['x-forwarded-proto', 'http'],
      ['x-forwarded-host', 'example.org'],
    ]);
    const [exchange] = await logs(1);
    expect(exchange).toMatchObject({
      protocol: 'HTTP/2',
      bytesReceived: 5,
      responseFlags: [],
      responseCodeDetails: 'ok',
    });
  });

  it('responses have lower-case names, repeated fields, and no field of an HTTP/1 connection', async () => {
    const headers = new Headers([
      'X-Up',
      '1',
      'Set-Cookie',
      'a=1',
      'Set-Cookie',
      'b=2',
      'Connection',
      'close',
      'ETag',
      '1',
      'ETag',
      '2',
    ]);
    const { client } = await session({
      answer: () => ({ status: 200, headers, body: new BytesBody(Buffer.from('x')) }),
    });
    const answer = await ask(client, {});
    expect(answer.status).toBe(200);
    expect(answer.headers['set-cookie']).toEqual(['a=1', 'b=2']);
    expect(answer.rawNames).toEqual([
      ':status',
      'x-up',
      'set-cookie',
      'set-cookie',
      'etag',
      'etag',
      'via',
      'content-length',
      'date',
    ]);
    expect(answer.body).toBe('x');
  });

  it('carries trailers both ways and interim responses', async () => {
    let received: [string, string][] = [];
    const { client } = await session({
      async answer({ request }, inform) {
        inform(103, Headers.of({ link: '</a>' }));
        await new Promise<void>((resolve, reject) =>
          request.body.pipe({
            data: () => true,
            end: (trailers) => resolve(void (received = [...(trailers ?? [])])),
            error: reject,
          }),
        );
        async function* chunks() {
          yield Buffer.from('x');
        }
        const inner = bodyFrom(chunks());
        return {
          status: 200,
          headers: new Headers(),
          body: {
            length: undefined,
            whole: undefined,
            pipe: (sink) =>
              inner.pipe({
                data: (chunk) => sink.data(chunk),
                end: () => sink.end(Headers.of({ 'Grpc-Status': '0' })),
                error: (e) => sink.error(e),
              }),
            resume: () => inner.resume(),
            cancel: (reason) => inner.cancel(reason),
          },
        };
      },
    });
    const stream = client.request({ ':method': 'POST', ':path': '/' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '1' }));
    const answer = await answerOf(stream, () => stream.end('abc'));
    expect(answer.informs).toEqual([103]);
    expect(answer.trailers).toMatchObject({ 'grpc-status': '0' });
    expect(received).toEqual([['x-sum', '1']]);
  });

  it('answers HEAD, 204 and an empty body without content', async () => {
    const { client } = await session({
      answer: ({ request }) =>
        request.path === '/204'
          ? { status: 204, headers: new Headers(), body: new BytesBody(new Uint8Array(0)) }
          : {
              status: 200,
              headers: Headers.of(request.method === 'HEAD' ? { 'content-length': '99' } : {}),
              body: new BytesBody(new Uint8Array(0)),
            },
    });
    expect(await ask(client, { ':method': 'HEAD' })).toMatchObject({
      status: 200,
      body: '',
      headers: { 'content-length': '99' },
      rstCode: 0,
    });
    const none = await ask(client, { ':path': '/204' });
    expect(none).toMatchObject({ status: 204, body: '', rstCode: 0 });
    expect(none.headers).not.toHaveProperty('content-length');
    expect(await ask(client, {})).toMatchObject({ status: 200, headers: { 'content-length': '0' } });
  });

  it('streams large bodies both ways', async () => {
    const { client, logs } = await session({
      answer: ({ request }) => ({ status: 200, headers: new Headers(), body: request.body }),
    });
    const text = 'x'.repeat(3 * 1024 * 1024);
    const { body, rstCode } = await ask(client, { ':method': 'POST' }, text);
    expect(body.length).toBe(text.length);
    expect(rstCode).toBe(0);
    expect((await logs(1))[0]).toMatchObject({ bytesReceived: text.length, bytesSent: text.length, responseFlags: [] });
  });

  it('breaks a response visibly whose body breaks', async () => {
    async function* chunks() {
      yield Buffer.from('part');
      await new Promise(setImmediate);
      throw new Error('app died');
    }
    const { client } = await session({
      answer: () => ({ status: 200, headers: new Headers(), body: bodyFrom(chunks()) }),
    });
    expect((await ask(client, {})).rstCode).toBe(constants.NGHTTP2_INTERNAL_ERROR);
  });

  it('an upload that is reset or loses its connection never looks complete', async () => {
    const outcomes: string[] = [];
    let reached: () => void = () => {};
    const { port, logs } = await startListener({
      http2,
      answer: ({ request, cancellation }) =>
        new Promise((_, reject) => {
          request.body.pipe({
            data: () => (reached(), true),
            end: () => outcomes.push('end'),
            error: () => outcomes.push('error'),
          });
          cancellation.onCancel(reject);
        }),
    });
    // Raw frames, because Node's client ends a stream before it resets it.
    const upload = Buffer.from(preface + frame(1, 4, '838684410174') + frame(0, 0, '70617274'), 'hex');
    const reset = await RawClient.connect(port);
    reached = () => reset.write(Buffer.from(frame(3, 0, '00000008'), 'hex'));
    reset.write(upload);
    await logs(1);
    const lost = await RawClient.connect(port);
    reached = () => lost.socket.resetAndDestroy();
    lost.write(upload);
    const closed = await RawClient.connect(port);
    await logs(2);
    reached = () => closed.socket.destroy();
    closed.write(upload);
    const logged = await logs(3);
    expect(outcomes).toEqual(['error', 'error', 'error']);
    expect(logged.map(({ responseFlags }) => responseFlags)).toEqual([['DC'], ['DC'], ['DC']]);
    expect(logged[0]!.response!.status).toBe(499);
  });

  it('an answer that comes before the upload is over ends the stream without an error', async () => {
    const { client } = await session({ filters: [{ onRequest: () => localReply(401, 'no_token') }] });
    const stream = client.request({ ':method': 'POST', ':path': '/' });
    const answer = await answerOf(stream, () => stream.write('x'.repeat(1000)));
    expect(answer).toMatchObject({ status: 401, body: 'no_token\n', rstCode: constants.NGHTTP2_NO_ERROR });
    expect((await ask(client, {})).status).toBe(401);
  });

  it('refuses a body above the limit, known and unknown, and asks for the body only when it is wanted', async () => {
    const { client } = await session({ answer: echo, config: { max_body_bytes: 4 } });
    expect((await ask(client, { ':method': 'POST', 'content-length': '5' }, 'hello')).status).toBe(413);
    expect((await ask(client, { ':method': 'POST' }, 'hello')).status).toBe(413);
    expect(await ask(client, { ':method': 'POST', expect: '100-continue', 'content-length': '2' }, 'hi')).toMatchObject(
      { status: 200 },
    );
  });

  it('a stream that does not read does not hold up the others', async () => {
    const { client } = await session({
      answer: ({ request }) => ({
        status: 200,
        headers: new Headers(),
        body: new BytesBody(Buffer.alloc(request.path === '/big' ? 4_000_000 : 3, 'x')),
      }),
    });
    const slow = client.request({ ':path': '/big' });
    slow.on('error', () => {});
    slow.pause();
    await new Promise((resolve) => slow.on('response', resolve));
    expect((await ask(client, { ':path': '/small' })).body).toBe('xxx');
  });
});

describe('HTTP/2 in bad faith', () => {
  const session = connected;

  it('a client that resets its streams at once is sent away after a hundred, and the app has seen none of them', async () => {
    const { client, answered } = await session({ answer: () => new Promise(() => {}) });
    const goaway = new Promise<number>((resolve) => client.on('goaway', resolve));
    for (let at = 0; at < 150; at++) {
      const stream = client.request({ ':path': '/' });
      stream.on('error', () => {});
      stream.close(constants.NGHTTP2_CANCEL);
    }
    expect(await goaway).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    await new Promise((resolve) => client.on('close', resolve));
    expect(answered.length).toBeLessThan(20);
  });

  it('PING and SETTINGS floods end the connection', async () => {
    const { port } = await startListener();
    for (const frames of ['0000080600000000000102030405060708', '000000040000000000']) {
      const client = await RawClient.connect(port);
      client.write(Buffer.from(preface + frames.repeat(200), 'hex'));
      expect(Buffer.from(await client.end(), 'latin1').includes(Buffer.from('000000000b', 'hex'))).toBe(true);
    }
  });

  it('a connection that never gets to a request is closed after request_headers_timeout', async () => {
    const { port } = await startListener({ config: { request_headers_timeout: '100ms' } });
    const headersWithoutEnd = '00000101000000000182';
    for (const bytes of [preface, preface + headersWithoutEnd]) {
      const client = await RawClient.connect(port);
      client.write(Buffer.from(bytes, 'hex'));
      await client.end();
    }
  });

  it('a client that does not acknowledge our settings in ten seconds is told so, whatever it asks', async () => {
    const { port, answered } = await startListener({ answer: () => new Promise(() => {}) });
    const client = await RawClient.connect(port);
    client.write(Buffer.from(preface + frame(1, 5, '828684410174'), 'hex'));
    while (answered.length === 0) await new Promise(setImmediate);
    const now = performance.now.bind(performance);
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + 11_000);
    onTestFinished(() => clock.mockRestore());
    // GOAWAY on stream 0, last stream 1, SETTINGS_TIMEOUT
    expect(Buffer.from(await client.end(), 'latin1').toString('hex')).toContain('0700000000000000000100000004');
  });

  it('an idle connection is closed after idle_timeout', async () => {
    const { client } = await session({ config: { idle_timeout: '100ms' } });
    expect((await ask(client, {})).status).toBe(200);
    await new Promise((resolve) => client.on('close', resolve));
  });

  it('a silent stream is answered 408, and the connection goes on', async () => {
    const { client, logs } = await session({
      answer: ({ request }) => (request.path === '/slow' ? new Promise(() => {}) : localReply(200, 'ok')),
      config: { stream_idle_timeout: '100ms' },
    });
    expect(await ask(client, { ':path': '/slow' })).toMatchObject({ status: 504, body: 'stream_idle_timeout\n' });
    expect((await logs(1))[0]!.responseFlags).toEqual(['SI']);
    expect((await ask(client, {})).status).toBe(200);
  });

  it('a request that does not arrive in time is answered 408', async () => {
    const { client } = await session({ answer: echo, config: { request_timeout: '100ms' } });
    const stream = client.request({ ':method': 'POST', ':path': '/' });
    expect((await answerOf(stream, () => stream.write('x'))).status).toBe(408);
  });

  it('more header lines than allowed are answered 431', async () => {
    const { client } = await session({ config: { max_headers_count: 20 } });
    const headers = Object.fromEntries(Array.from({ length: 21 }, (_, at) => [`x-${at}`, '1']));
    expect((await ask(client, headers)).status).toBe(431);
  });
});
