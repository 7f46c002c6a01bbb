import { once } from 'node:events';
import http2 from 'node:http2';
import net from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startUpstream } from '../support/cluster-harness.ts';
import type { Portico } from '../support/portico.ts';
import { ProbingClient } from '../support/probing-client.ts';
import { backToRest, startFront } from '../support/resilience.ts';
import type { Script } from '../support/scripted-upstream.ts';

/** Fields that would change framing, routing or access when they come late (RFC 9110 §6.5.1), and two that may come. */
const forbidden = [
  'Content-Length: 5',
  'Transfer-Encoding: chunked',
  'Host: other',
  'Authorization: x',
  'Set-Cookie: a=1',
];
const trailers = ['Grpc-Status: 0', 'Grpc-Message: fine'];

/** Reads a request to the end of its trailers, and answers with trailers of its own. */
const app =
  (asked: string[]): Script =>
  async (connection) => {
    for (;;) {
      const head = await connection.head();
      const body = await connection.until('0\r\n');
      let section = '';
      for (let line = ''; line !== '\r\n'; section += line) line = await connection.until('\r\n');
      asked.push(head, body, section);
      await connection.write(
        [
          'HTTP/1.1 200 OK',
          'Content-Type: application/grpc',
          'Trailer: Grpc-Status, Set-Cookie, Content-Length',
          'Trailer: grpc-status,\t Grpc-Message , X_Sum, X Y,',
          'Transfer-Encoding: chunked',
          '',
        ].join('\r\n') + `\r\n6\r\nanswer\r\n0\r\n${[...forbidden, ...trailers].join('\r\n')}\r\n\r\n`,
      );
    }
  };

interface Answer {
  readonly body: string;
  /** Name in lower case, value. */
  readonly trailers: Record<string, unknown>;
}

/** The lines of a head that announce trailers. */
function announced(head: string): string[] {
  return head.split('\r\n').filter((line) => /^trailer:/i.test(line));
}

/** Over HTTP/1.1 as bytes: what a client says of trailers, and what it gets. */
async function overHttp1(portico: Portico, fields: readonly string[]): Promise<Answer & { head: string }> {
  const client = new ProbingClient(portico.port());
  onTestFinished(() => client.close());
  const head = [
    'POST /shop.Cart/Add HTTP/1.1',
    'Host: app.example',
    'Transfer-Encoding: chunked',
    'Trailer: Host, X-Sum, Authorization',
    ...fields,
    '',
    '',
  ];
  const raw = `${head.join('\r\n')}5\r\nhello\r\n0\r\n${[...forbidden, 'X-Sum: 9'].join('\r\n')}\r\n\r\n`;
  let text = '';
  const asked = client.send({ method: 'POST', raw });
  client.socket!.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  const { outcome, body } = await asked;
  expect(outcome).toBe('whole');
  const section = text.slice(text.lastIndexOf('\r\n0\r\n') + 5, -4);
  const lines = section === '' ? [] : section.split('\r\n');
  const found = lines.map((line) => [
    line.slice(0, line.indexOf(':')).toLowerCase(),
    line.slice(line.indexOf(':') + 2),
  ]);
  return {
    body,
    trailers: Object.fromEntries(found) as Record<string, string>,
    head: text.slice(0, text.indexOf('\r\n\r\n')),
  };
}

function overHttp2(portico: Portico): Promise<Answer & { announced: unknown }> {
  const session = http2.connect(`http://127.0.0.1:${portico.port()}`);
  onTestFinished(() => session.destroy());
  const stream = session.request(
    { ':method': 'POST', ':path': '/shop.Cart/Add', te: 'trailers', trailer: 'host, x-sum, authorization' },
    { waitForTrailers: true },
  );
  stream.on('wantTrailers', () =>
    stream.sendTrailers({ 'x-sum': '9', authorization: 'x', 'set-cookie': 'a=1', 'x-forwarded-for': '192.0.2.1' }),
  );
  return new Promise((resolve, reject) => {
    let body = '';
    let found: Record<string, unknown> = {};
    let trailer: unknown;
    stream.on('response', (headers) => (trailer = headers.trailer));
    stream.on('data', (chunk: Buffer) => (body += chunk.toString()));
    stream.on('trailers', (fields) => (found = Object.fromEntries(Object.entries(fields))));
    stream.on('close', () => resolve({ body, trailers: found, announced: trailer }));
    stream.on('error', reject);
    stream.end('hello');
  });
}

describe('RE24 trailers', () => {
  const passed = { 'grpc-status': '0', 'grpc-message': 'fine' };

  it.each([
    ['that says so', ['TE: trailers']],
    // RFC 9110 §6.5.1 allows to drop them; gRPC is lost without its status.
    ['that says nothing of it', []],
  ])('of both messages pass for an HTTP/1.1 client %s, without those that would change the head', async (_, fields) => {
    const asked: string[] = [];
    const upstream = await startUpstream(app(asked));
    const portico = await startFront([upstream.address]);
    const { head, ...answer } = await overHttp1(portico, fields);
    expect(answer).toEqual({ body: 'answer', trailers: passed });
    // Announced again, without what was left out (RFC 9110 §6.6.2).
    expect(announced(head)).toEqual(['Trailer: Grpc-Status, Grpc-Message']);
    expect(announced(asked[0]!)).toEqual(['trailer: X-Sum']);
    expect(head).not.toMatch(/^(?:te|content-length):/im);
    expect(asked[1]).toBe('5\r\nhello\r\n0\r\n');
    expect(asked[2]!.toLowerCase()).toBe('x-sum: 9\r\n\r\n');
    await backToRest(portico);
  });

  it('of both messages pass between an HTTP/2 client and an HTTP/1.1 app', async () => {
    const asked: string[] = [];
    const upstream = await startUpstream(app(asked));
    const portico = await startFront([upstream.address]);
    const { trailers: found, body, announced: trailer } = await overHttp2(portico);
    expect([body, found, trailer]).toEqual(['answer', passed, 'Grpc-Status, Grpc-Message']);
    expect(announced(asked[0]!)).toEqual(['trailer: x-sum']);
    expect(asked[2]!.toLowerCase()).toBe('x-sum: 9\r\n\r\n');
    await backToRest(portico);
  });

  /** The head that the app gets for a request in bytes. */
  async function asked(request: string): Promise<string> {
    const heads: string[] = [];
    const upstream = await startUpstream(async (connection) => {
      heads.push(await connection.head());
      await connection.write('HTTP/1.1 204 No Content\r\n\r\n');
    });
    const portico = await startFront([upstream.address]);
    const client = new ProbingClient(portico.port());
    onTestFinished(() => client.close());
    expect((await client.send({ raw: request })).status).toBe(204);
    return heads[0]!;
  }

  it.each([
    ['without content', 'GET / HTTP/1.1\r\nHost: t\r\nTrailer: X-Sum\r\n\r\n'],
    ['of known length', 'POST / HTTP/1.1\r\nHost: t\r\nTrailer: X-Sum\r\nContent-Length: 5\r\n\r\nhello'],
    [
      'that came whole and has a length now',
      'POST / HTTP/1.1\r\nHost: t\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    ],
    [
      'whose announced trailers may not pass',
      'POST / HTTP/1.1\r\nHost: t\r\nTrailer: Host, X-Forwarded-For\r\nTransfer-Encoding: chunked\r\n\r\n' +
        '5\r\nhello\r\n0\r\nX-Sum: 9\r\n\r\n',
    ],
  ])('are not announced to the app for a request %s', async (_, request) => {
    expect(announced(await asked(request))).toEqual([]);
  });

  const chunked = 'Transfer-Encoding: chunked\r\n\r\n6\r\nanswer\r\n0\r\nX-Sum: 9\r\n\r\n';
  it.each([
    ['without a name that may pass', 'GET / HTTP/1.1', `Trailer: Set-Cookie, Location\r\n${chunked}`],
    ['of known length', 'GET / HTTP/1.1', 'Trailer: X-Sum\r\nContent-Length: 6\r\n\r\nanswer'],
    ['to HEAD', 'HEAD / HTTP/1.1', 'Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['to an HTTP/1.0 client', 'GET / HTTP/1.0', `Trailer: X-Sum\r\n${chunked}`],
  ])('are not announced to the client for an answer %s', async (_, line, answer) => {
    const upstream = await startUpstream(async (connection) => {
      await connection.head();
      await connection.write(`HTTP/1.1 200 OK\r\n${answer}`);
    });
    const portico = await startFront([upstream.address]);
    const socket = net.connect(portico.port(), '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    socket.write(`${line}\r\nHost: t\r\nConnection: close\r\n\r\n`);
    await once(socket, 'close');
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    expect(announced(text.slice(0, text.indexOf('\r\n\r\n')))).toEqual([]);
  });

  it.each([
    ['without content', { ':method': 'GET' }, true],
    ['of known length', { ':method': 'POST', 'content-length': '5' }, false],
  ])('are not announced to the app for an HTTP/2 request %s', async (_, fields, endStream) => {
    const heads: string[] = [];
    const upstream = await startUpstream(async (connection) => {
      heads.push(await connection.head());
      await connection.write('HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nContent-Length: 6\r\n\r\nanswer');
    });
    const portico = await startFront([upstream.address]);
    const session = http2.connect(`http://127.0.0.1:${portico.port()}`);
    onTestFinished(() => session.destroy());
    const stream = session.request({ ':path': '/', trailer: 'x-sum', ...fields }, { endStream });
    if (!endStream) stream.end('hello');
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
    expect([headers[':status'], headers.trailer]).toEqual([200, undefined]);
    expect(announced(heads[0]!)).toEqual([]);
  });

  it('that break off leave no answer that looks whole', async () => {
    const upstream = await startUpstream(async (connection) => {
      await connection.head();
      await connection.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nanswer\r\n0\r\nGrpc-Sta');
      await connection.wait(30);
      connection.fin();
    });
    const portico = await startFront([upstream.address]);
    const client = new ProbingClient(portico.port());
    expect((await client.send()).outcome).toBe('broken');
    const session = http2.connect(`http://127.0.0.1:${portico.port()}`);
    onTestFinished(() => session.destroy());
    const stream = session.request({ ':path': '/' });
    stream.on('error', () => {}).resume();
    const code = await new Promise((resolve) => stream.on('close', () => resolve(stream.rstCode)));
    expect(code).not.toBe(0);
    await backToRest(portico);
  });
});
