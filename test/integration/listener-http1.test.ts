import { describe, expect, it } from 'vitest';
import { bodyFrom, BytesBody, Headers, localReply, type Response } from '../../src/http/index.ts';
import { http1Codecs } from '../support/http1-codecs.ts';
import { echo, exchangeRaw, RawClient, startListener, statusesIn, type Seen } from '../support/listener-harness.ts';

const get = 'GET / HTTP/1.1\r\nHost: t\r\n\r\n';

function upstream(headers: Record<string, string>, body = 'hello'): Response {
  return { status: 200, headers: Headers.of(headers), body: new BytesBody(Buffer.from(body)) };
}

function seenIn(text: string): Seen {
  return JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)) as Seen;
}

describe.each(http1Codecs)('%s: HTTP/1.1 responses', (_name, http1) => {
  it('leave head and body in one write, with the fields in their order and case and none that nobody chose but Date', async () => {
    const { port } = await startListener({
      http1,
      answer: () => upstream({ 'X-First': '1', 'content-TYPE': 'text/plain', 'x-Last': '2' }),
    });
    const client = await RawClient.connect(port);
    client.write(get);
    const text = await client.expects('hello');
    expect(client.chunks).toBe(1);
    const names = text
      .split('\r\n')
      .slice(1, -2)
      .map((line) => line.split(':')[0]!);
    expect(names.slice(0, 4)).toEqual(['X-First', 'content-TYPE', 'x-Last', 'via']);
    expect(
      names
        .slice(4)
        .map((name) => name.toLowerCase())
        .sort(),
    ).toEqual(['content-length', 'date']);
  });

  it('keep the connection for the next request', async () => {
    const { port, logs } = await startListener({ http1 });
    const client = await RawClient.connect(port);
    client.write(get);
    await client.expects('GET /\n');
    client.write('GET /2 HTTP/1.1\r\nHost: t\r\n\r\n');
    await client.expects('GET /2\n');
    const logged = await logs(2);
    expect(logged[0]!.downstream.connectionId).toBe(logged[1]!.downstream.connectionId);
  });

  it('end the connection after HTTP/1.0, and are delimited by that when their length is unknown', async () => {
    const { port } = await startListener({
      http1,
      answer: (exchange) => ({
        status: 200,
        headers: new Headers(),
        body: exchange.request.body.length === 0 ? streamOf(['a', 'b']) : streamOf([]),
      }),
    });
    const text = await exchangeRaw(port, 'GET / HTTP/1.0\r\n\r\n');
    expect(text).toMatch(/^connection: close\r$/im);
    expect(text).not.toContain('chunked');
    expect(text.endsWith('\r\n\r\nab')).toBe(true);
  });

  it('keep the declared content-length for HEAD and 304 and give none with 204', async () => {
    const { port } = await startListener({
      http1,
      answer: ({ request }) => ({
        status: request.path === '/304' ? 304 : request.path === '/204' ? 204 : 200,
        headers: Headers.of({ 'content-length': '1234' }),
        body: new BytesBody(new Uint8Array(0)),
      }),
    });
    const client = await RawClient.connect(port);
    client.write('HEAD / HTTP/1.1\r\nHost: t\r\n\r\n');
    expect(await client.expects('\r\n\r\n')).toMatch(/^content-length: 1234\r$/im);
    client.received = '';
    client.write('GET /304 HTTP/1.1\r\nHost: t\r\n\r\n');
    expect(await client.expects('\r\n\r\n')).toMatch(/^content-length: 1234\r$/im);
    client.received = '';
    client.write('GET /204 HTTP/1.1\r\nHost: t\r\n\r\n');
    expect((await client.expects('\r\n\r\n')).toLowerCase()).not.toContain('content-length');
    client.received = '';
    client.write('HEAD /head-without HTTP/1.1\r\nHost: t\r\n\r\n');
    expect(statusesIn(await client.expects('\r\n\r\n'))).toEqual([200]);
  });

  it('carry trailers behind chunks', async () => {
    const { port } = await startListener({
      http1,
      answer: () => ({
        status: 200,
        headers: new Headers(),
        body: streamOf(['x'], Headers.of({ 'grpc-status': '0' })),
      }),
    });
    const client = await RawClient.connect(port);
    client.write(get);
    expect(await client.expects('grpc-status')).toContain('1\r\nx\r\n0\r\ngrpc-status: 0\r\n\r\n');
  });

  it('pass on interim responses before the final one', async () => {
    const { port } = await startListener({
      http1,
      answer: (_exchange, inform) => {
        inform(103, Headers.of({ link: '</a.css>; rel=preload' }));
        inform(100, new Headers());
        return localReply(200, 'ok');
      },
    });
    const client = await RawClient.connect(port);
    client.write(get);
    const text = await client.expects('ok\n');
    expect(statusesIn(text)).toEqual([103, 200]);
    expect(text).toContain('link: </a.css>; rel=preload\r\n\r\n');
  });

  it('break visibly when their body does, and the log says why', async () => {
    const { port, logs, complaints } = await startListener({
      http1,
      answer: () => ({
        status: 200,
        headers: new Headers(),
        body: streamOf(['part'], undefined, new Error('app died')),
      }),
    });
    const client = await RawClient.connect(port);
    client.write(get);
    const text = await client.end();
    expect(text).toContain('part');
    expect(text).not.toContain('0\r\n\r\n');
    const [exchange] = await logs(1);
    expect(exchange!.responseCodeDetails).toBe('response_body_failed');
    expect(complaints.join()).toContain('app died');
  });

  it('send their head at once when the first byte of the body takes its time', async () => {
    let release: () => void = () => {};
    const { port } = await startListener({
      http1,
      answer: () => ({
        status: 200,
        headers: Headers.of({ 'content-type': 'text/event-stream' }),
        body: streamOf([new Promise<string>((r) => (release = () => r('event'))), '']),
      }),
    });
    const client = await RawClient.connect(port);
    client.write(get);
    expect(await client.expects('\r\n\r\n')).toContain('text/event-stream');
    release();
    await client.expects('event');
  });
});

describe.each(http1Codecs)('%s: HTTP/1.1 requests', (_name, http1) => {
  it('show the app an origin-form target, no hop-by-hop fields, and who asked', async () => {
    const { port } = await startListener({ http1, answer: echo });
    const text = await exchangeRaw(
      port,
      'POST http://Example.ORG:80/a/./b//c?q=//x HTTP/1.1\r\nHost: ignored\r\nConnection: close, X-Hop, x-forwarded-for\r\nX-Hop: 1\r\nKeep-Alive: 1\r\nTE: trailers\r\n' +
        'X-Keep: Yes\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Proto: https\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nContent-Length: 5\r\n\r\nhello',
    );
    const seen = seenIn(text);
    expect(seen).toMatchObject({
      method: 'POST',
      scheme: 'http',
      authority: 'example.org:80',
      path: '/a/b/c?q=//x',
      body: 'hello',
    });
    expect(seen.headers).toEqual([
      ['X-Keep', 'Yes'],
      ['x-forwarded-for', '6.6.6.6, 127.0.0.1'],
      ['x-forwarded-host', 'example.org:80'],
      ['x-forwarded-proto', 'http'],
      ['x-real-ip', '127.0.0.1'],
      ['via', '1.1 portico'],
    ]);
  });

  it('have their small body at hand when the route is asked', async () => {
    let whole: string | undefined;
    const { port } = await startListener({
      http1,
      answer: ({ request }) => {
        whole = request.body.whole === undefined ? undefined : Buffer.from(request.body.whole).toString();
        return localReply(200, 'ok');
      },
    });
    await exchangeRaw(port, 'POST / HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello');
    expect(whole).toBe('hello');
  });

  it('with chunks arrive whole, trailers apart from the headers', async () => {
    let trailers: [string, string][] = [];
    let body = '';
    const { port, logs } = await startListener({
      http1,
      answer: async ({ request }) => {
        await new Promise<void>((resolve, reject) =>
          request.body.pipe({
            data(chunk) {
              body += Buffer.from(chunk).toString();
              return true;
            },
            end(fields) {
              trailers = [...(fields ?? [])];
              resolve();
            },
            error: reject,
          }),
        );
        return localReply(200, 'ok');
      },
    });
    await exchangeRaw(
      port,
      'POST / HTTP/1.1\r\nHost: t\r\nConnection: close\r\nTransfer-Encoding: Chunked\r\n\r\n5;x=y\r\nhello\r\n4\r\n you\r\n0\r\nX-Sum: 9\r\nHost: evil\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n',
    );
    expect(body).toBe('hello you');
    expect(trailers).toEqual([['X-Sum', '9']]);
    const [exchange] = await logs(1);
    expect(exchange!.bytesReceived).toBe(9);
    expect(exchange!.requestDuration).toBeGreaterThanOrEqual(0);
  });

  it('are answered in order and one after the other when they are pipelined', async () => {
    let running = 0;
    let most = 0;
    const { port } = await startListener({
      http1,
      answer: async ({ request }) => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, request.path === '/1' ? 20 : 1));
        running--;
        return localReply(200, 'ok', { body: `${request.path}\n` });
      },
    });
    const client = await RawClient.connect(port);
    client.write(['/1', '/2', '/3'].map((path) => `GET ${path} HTTP/1.1\r\nHost: t\r\n\r\n`).join(''));
    const text = await client.expects('/3\n');
    expect(text.match(/^\/\d$/gm)).toEqual(['/1', '/2', '/3']);
    expect(most).toBe(1);
  });

  it('are answered in order when they come byte by byte while the one before them is being answered', async () => {
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const { port } = await startListener({
      http1,
      answer: async ({ request }) => {
        if (request.path === '/1') await held;
        return localReply(200, 'ok', { body: `${request.path}\n` });
      },
    });
    const client = await RawClient.connect(port);
    const rest = ['/2', '/3', '/4'].map((path) => `GET ${path} HTTP/1.1\r\nHost: t\r\n\r\n`).join('');
    client.write(`GET /1 HTTP/1.1\r\nHost: t\r\n\r\n${rest[0]!}`);
    for (const byte of rest.slice(1)) {
      client.write(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    release();
    const text = await client.expects('/4\n');
    expect(text.match(/^\/\d$/gm)).toEqual(['/1', '/2', '/3', '/4']);
  });

  it('that ask for the connection to end are the last', async () => {
    const { port, answered } = await startListener({
      http1,
      answer: async () => Promise.resolve(localReply(200, 'ok')),
    });
    const text = await exchangeRaw(
      port,
      'GET /1 HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: t\r\n\r\n',
    );
    expect(statusesIn(text)).toEqual([200]);
    expect(answered).toHaveLength(1);
  });

  it('with a body on GET are one request', async () => {
    const { port } = await startListener({ http1, answer: echo });
    const inner = 'GET /smuggled HTTP/1.1\r\nHost: t\r\n\r\n';
    const text = await exchangeRaw(
      port,
      `GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`,
    );
    expect(statusesIn(text)).toEqual([200]);
    expect(seenIn(text).body).toBe(inner);
  });
});

describe.each(http1Codecs)('%s: Expect: 100-continue', (_name, http1) => {
  const head = 'POST / HTTP/1.1\r\nHost: t\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n';

  it('is granted when the body is first wanted, and not passed on', async () => {
    const { port } = await startListener({ http1, answer: echo });
    const client = await RawClient.connect(port);
    client.write(head);
    await client.expects('HTTP/1.1 100 Continue\r\n\r\n');
    client.received = '';
    client.write('hello');
    const text = await client.expects('"body":"hello"}');
    expect(statusesIn(text)).toEqual([200]);
    expect(text.toLowerCase()).not.toContain('expect');
  });

  it('is not granted when a filter refuses the request, and the connection ends', async () => {
    const { port } = await startListener({ http1, filters: [{ onRequest: () => localReply(401, 'no_token') }] });
    const client = await RawClient.connect(port);
    client.write(head);
    const text = await client.end();
    expect(statusesIn(text)).toEqual([401]);
    expect(text).toMatch(/^connection: close\r$/im);
  });

  it('of anything else is answered 417', async () => {
    const { port, answered } = await startListener({ http1 });
    for (const expectation of ['x 100-continue', 'foo']) {
      expect(
        statusesIn(
          await exchangeRaw(
            port,
            `POST / HTTP/1.1\r\nHost: t\r\nConnection: close\r\nExpect: ${expectation}\r\nContent-Length: 0\r\n\r\n`,
          ),
        ),
      ).toEqual([417]);
    }
    expect(answered).toHaveLength(0);
  });

  it('means nothing in HTTP/1.0', async () => {
    const { port } = await startListener({ http1, answer: echo });
    expect(
      statusesIn(
        await exchangeRaw(port, 'POST / HTTP/1.0\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello'),
      ),
    ).toEqual([200]);
  });
});

describe.each(http1Codecs)('%s: a body that is not read', (_name, http1) => {
  it('leaves the answer readable, says that the connection ends, and ends it', async () => {
    const { port, logs } = await startListener({ http1, filters: [{ onRequest: () => localReply(413, 'too_much') }] });
    const client = await RawClient.connect(port);
    client.write('POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
    const text = await client.end();
    expect(statusesIn(text)).toEqual([413]);
    expect(text).toMatch(/^connection: close\r$/im);
    expect((await logs(1))[0]!.responseFlags).toEqual([]);
  });

  it('larger than max_body_bytes is refused by its length, or where it passes the limit', async () => {
    const { port, logs, answered } = await startListener({ http1, answer: echo, config: { max_body_bytes: 10 } });
    expect(statusesIn(await exchangeRaw(port, 'POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 11\r\n\r\n'))).toEqual([
      413,
    ]);
    expect(answered).toHaveLength(0);
    const text = await exchangeRaw(
      port,
      'POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n6\r\nworld!\r\n',
    );
    expect(statusesIn(text)).toEqual([413]);
    expect((await logs(2)).map(({ responseFlags }) => responseFlags)).toEqual([['LL'], ['LL']]);
  });
});

describe('node:http codec: a body that is not read', () => {
  const http1 = http1Codecs.find(([name]) => name.startsWith('node'))![1];

  it('is drained when it is small, and the connection goes on', async () => {
    const { port } = await startListener({
      http1,
      filters: [{ onRequest: ({ path }) => (path === '/no' ? localReply(401, 'no_token') : undefined) }],
    });
    const client = await RawClient.connect(port);
    client.write('POST /no HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nhello');
    await client.expects('no_token\n');
    client.write('worldGET /next HTTP/1.1\r\nHost: t\r\n\r\n');
    await client.expects('GET /next\n');
  });
});

describe.each(http1Codecs)('%s: back-pressure', (_name, http1) => {
  it('stops a response whose client does not read, and a request whose route does not', async () => {
    let produced = 0;
    const chunk = Buffer.alloc(64 * 1024, 'x');
    async function* endless() {
      for (;;) {
        produced += chunk.length;
        yield chunk;
        await new Promise(setImmediate);
      }
    }
    const { port, logs } = await startListener({
      http1,
      answer: () => ({ status: 200, headers: new Headers(), body: bodyFrom(endless()) }),
    });
    const client = await RawClient.connect(port);
    client.socket.pause();
    client.write(get);
    let before = -1;
    while (before !== produced || produced === 0) {
      before = produced;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(produced).toBeLessThan(16 * 1024 * 1024);
    client.socket.destroy();
    expect((await logs(1))[0]!.responseFlags).toEqual(['DC']);
  });
});

function streamOf(parts: readonly (string | Promise<string>)[], trailers?: Headers, failure?: Error): Response['body'] {
  return {
    length: undefined,
    whole: undefined,
    pipe(sink) {
      void (async () => {
        for (const part of parts) {
          const text = await part;
          if (text !== '') sink.data(Buffer.from(text));
        }
        await new Promise(setImmediate);
        if (failure !== undefined) sink.error(failure);
        else sink.end(trailers);
      })();
    },
    resume() {},
    cancel() {},
  };
}
