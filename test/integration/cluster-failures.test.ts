import net from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { BodyStream, Cancellation, readAll, textBody, UpstreamError } from '../../src/http/index.ts';
import { answering, response, type Script } from '../support/scripted-upstream.ts';
import {
  atRest,
  attempt,
  eventually,
  exchange,
  failureOf,
  startCluster,
  startUpstream,
  send,
} from '../support/cluster-harness.ts';

const ok = response(200, 'hello');

/** Writes the text as the answer to the first request, then does what comes after. */
function once(text: string, then: 'fin' | 'rst' | 'stay'): Script {
  return async (connection) => {
    await connection.head();
    await connection.write(text);
    if (then === 'fin') connection.fin();
    // The text must be read before the reset, which would throw it away.
    if (then === 'rst') setTimeout(() => connection.rst(), 50);
  };
}

/** A port on which nobody listens. */
async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('an app that cannot be reached', () => {
  it('is told as a connect failure that touched nothing', async () => {
    const port = await freePort();
    const app = await startCluster({ endpoints: [`127.0.0.1:${port}`] });

    const failure = await failureOf(exchange(app, { method: 'POST', body: textBody('x') }));

    expect(failure).toBeInstanceOf(UpstreamError);
    expect(failure).toMatchObject({
      status: 503,
      flag: 'UF',
      details: 'upstream_connect_failure{connection_refused}',
      untouched: true,
      endpoint: `127.0.0.1:${port}`,
    });
    expect(await app.metric('portico_cluster_upstream_connect_failures_total{')).toBe(1);
    await atRest(app);
  });

  it('is told by the unix socket that is not there', async () => {
    const app = await startCluster({ endpoints: ['unix:/nonexistent/app.sock'] });

    expect(await failureOf(exchange(app))).toMatchObject({
      flag: 'UF',
      details: 'upstream_connect_failure{socket_missing}',
      untouched: true,
    });
  });

  it('is given up after the connect timeout', async () => {
    // A listen queue that is full takes no more connections, and answers nothing.
    const full = net.createServer();
    await new Promise<void>((resolve) => full.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, resolve));
    const { port } = full.address() as net.AddressInfo;
    const secured = await startCluster({ endpoints: [`127.0.0.1:${port}`], connect_timeout: '150ms', tls: {} });
    onTestFinished(() => void full.close());

    // TLS belongs to connecting: this server never begins its handshake.
    const failure = await failureOf(exchange(secured));

    expect(failure).toMatchObject({
      status: 503,
      flag: 'UF',
      details: 'upstream_connect_failure{connect_timeout}',
      untouched: true,
    });
    await atRest(secured);
  });

  it('is there again as soon as it listens, without a restart', async () => {
    const port = await freePort();
    const app = await startCluster({ endpoints: [`127.0.0.1:${port}`] });
    expect(await failureOf(exchange(app))).toMatchObject({ flag: 'UF' });

    await startUpstream(answering(ok), { port });

    expect((await exchange(app)).text).toBe('hello');
  });
});

describe('an app that breaks off before its answer', () => {
  it.each(['fin', 'rst'] as const)('by %s is told as a reset', async (end) => {
    const upstream = await startUpstream(async (connection) => {
      await connection.head();
      connection[end]();
    });
    const app = await startCluster({ endpoints: [upstream.address] });

    const failure = await failureOf(exchange(app, { method: 'POST', body: textBody('x') }));

    expect(failure).toMatchObject({
      status: 502,
      flag: 'UC',
      details: 'upstream_reset_before_response',
      untouched: false,
    });
    expect(await app.metric('portico_cluster_upstream_resets_total{')).toBe(1);
    await atRest(app);
  });

  it('in the middle of its head is told as a reset', async () => {
    const upstream = await startUpstream(once('HTTP/1.1 200 OK\r\nContent-Le', 'fin'));
    const app = await startCluster({ endpoints: [upstream.address] });

    expect(await failureOf(exchange(app))).toMatchObject({ flag: 'UC', untouched: false });
    await atRest(app);
  });
});

describe('an app that breaks off in its answer', () => {
  it.each<[string, string, 'fin' | 'rst']>([
    ['less than its length, then FIN', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nunfinished', 'fin'],
    ['less than its length, then RST', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nunfinished', 'rst'],
    ['half a chunk, then FIN', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nunfinished', 'fin'],
    ['no last chunk, then FIN', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nunfinished\r\n', 'fin'],
    [
      'no last line end, then FIN',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nunfinished\r\n0\r\n',
      'fin',
    ],
    ['no length, then RST', 'HTTP/1.1 200 OK\r\n\r\nunfinished', 'rst'],
  ])('(%s) breaks the response and never ends it', async (_name, text, end) => {
    const upstream = await startUpstream(once(text, end));
    const app = await startCluster({ endpoints: [upstream.address] });

    const answer = await send(app.cluster, attempt());
    const failure = await failureOf(readAll(answer.body, 1000));

    expect(answer.status).toBe(200);
    expect(failure).toMatchObject({ flag: 'UC', details: 'upstream_reset_after_response_started', untouched: false });
    await atRest(app);
    expect(app.cluster.show().idle_connections).toBe(0);
  });

  it('that has no length and ends politely is whole', async () => {
    const upstream = await startUpstream(once('HTTP/1.1 200 OK\r\n\r\nhello', 'fin'));
    const app = await startCluster({ endpoints: [upstream.address] });

    expect((await exchange(app)).text).toBe('hello');
    await atRest(app);
  });

  it('with a malformed chunk breaks the response', async () => {
    const upstream = await startUpstream(
      once('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n', 'stay'),
    );
    const app = await startCluster({ endpoints: [upstream.address] });

    const answer = await send(app.cluster, attempt());

    expect(await failureOf(readAll(answer.body, 1000))).toMatchObject({ flag: 'UPE' });
    await upstream.connections[0]!.closed;
    await atRest(app);
  });
});

describe('an answer that is no HTTP/1.1 response', () => {
  it.each<[string, string, 'fin' | 'stay']>([
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 5\r\n\r\nOKxxx', 'stay'],
    ['a length with a sign', 'HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nOK', 'stay'],
    ['chunked twice', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n', 'stay'],
    ['chunked, gzip', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n', 'stay'],
    ['gzip, chunked', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n', 'stay'],
    [
      'chunked with a length',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 30\r\n\r\n0\r\n\r\n',
      'stay',
    ],
    ['an unasked 101', 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n', 'stay'],
    ['an unasked 101 without fields', 'HTTP/1.1 101 Switching Protocols\r\n\r\n', 'stay'],
    ['a bare CR', 'HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: evil=1\r\nContent-Length: 2\r\n\r\nOK', 'stay'],
    ['a NUL', 'HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 2\r\n\r\nOK', 'stay'],
    ['space before a colon', 'HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 2\r\n\r\nOK', 'stay'],
    ['garbage', 'HELLO WORLD\r\n\r\n', 'fin'],
    ['status 099', 'HTTP/1.1 099 X\r\nContent-Length: 2\r\n\r\nOK', 'stay'],
    ['status 600', 'HTTP/1.1 600 X\r\nContent-Length: 2\r\n\r\nOK', 'stay'],
    ['status 1000', 'HTTP/1.1 1000 X\r\nContent-Length: 2\r\n\r\nOK', 'stay'],
    ['500 KiB of header lines', `HTTP/1.1 200 OK\r\n${`X: ${'y'.repeat(1000)}\r\n`.repeat(500)}\r\n`, 'stay'],
  ])('(%s) gives 502 and costs the connection', async (_name, text, end) => {
    const upstream = await startUpstream([once(text, end), answering(ok)]);
    const app = await startCluster({ endpoints: [upstream.address] });

    const failure = await failureOf(exchange(app));

    expect(failure).toMatchObject({ status: 502, flag: 'UPE', untouched: false });
    expect(failure.details).toMatch(/^upstream_protocol_error\{\w+\}$/);
    expect((await exchange(app)).text).toBe('hello');
    expect(upstream.connections).toHaveLength(2);
    await atRest(app);
  });
});

it('an answer that has no head at all gives 502', async () => {
  const upstream = await startUpstream(once('<html>hi</html>', 'fin'));
  const app = await startCluster({ endpoints: [upstream.address] });

  // Whether it is malformed or unfinished is a matter of opinion.
  expect(await failureOf(exchange(app))).toMatchObject({ status: 502, untouched: false });
  await atRest(app);
});

describe('timeouts', () => {
  it('end a try that gets no head in time', async () => {
    const upstream = await startUpstream(async (connection) => {
      await connection.head();
    });
    const app = await startCluster({ endpoints: [upstream.address] });

    const failure = await failureOf(exchange(app, { perTryTimeout: 100 }));

    expect(failure).toMatchObject({ status: 504, flag: 'UT', details: 'upstream_per_try_timeout', untouched: false });
    await upstream.connections[0]!.closed;
    await atRest(app);
  });

  it('do not let interim responses put off the head for ever', async () => {
    const upstream = await startUpstream(async (connection) => {
      await connection.head();
      while (!connection.ended) {
        await connection.write('HTTP/1.1 102 Processing\r\n\r\n');
        await connection.wait(20);
      }
    });
    const app = await startCluster({ endpoints: [upstream.address] });

    expect(await failureOf(exchange(app, { perTryTimeout: 200 }))).toMatchObject({
      details: 'upstream_per_try_timeout',
    });
  });

  it('leave a body alone whose head came in time', async () => {
    const upstream = await startUpstream(async (connection) => {
      await connection.head();
      await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe');
      await connection.wait(250);
      await connection.write('llo');
    });
    const app = await startCluster({ endpoints: [upstream.address] });

    expect((await exchange(app, { perTryTimeout: 100 })).text).toBe('hello');
  });

  it('break a response in which no byte moves', async () => {
    const upstream = await startUpstream(once('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nunfinished', 'stay'));
    const app = await startCluster({ endpoints: [upstream.address] });

    const answer = await send(app.cluster, attempt({ idleTimeout: 100 }));
    const failure = await failureOf(readAll(answer.body, 1000));

    expect(failure).toMatchObject({ status: 504, flag: 'UT', details: 'upstream_idle_timeout' });
    await upstream.connections[0]!.closed;
    await atRest(app);
  });

  it('let a response live as long as bytes come', async () => {
    const upstream = await startUpstream(async (connection) => {
      await connection.head();
      await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n');
      for (let n = 0; n < 8; n++) {
        await connection.wait(60);
        await connection.write('x');
      }
    });
    const app = await startCluster({ endpoints: [upstream.address] });

    expect((await exchange(app, { idleTimeout: 300 })).text).toBe('xxxxxxxx');
  });

  it('do not blame the app when it is the reader who is slow', async () => {
    const size = 8 * 1024 * 1024;
    const upstream = await startUpstream(
      once(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n${'x'.repeat(size)}`, 'stay'),
    );
    const app = await startCluster({ endpoints: [upstream.address] });

    const { body } = await send(app.cluster, attempt({ idleTimeout: 50 }));
    await new Promise((resolve) => setTimeout(resolve, 300));

    expect((await readAll(body, size)).byteLength).toBe(size);
  });

  it('of the whole exchange are told in the words of who set them', async () => {
    const upstream = await startUpstream(async (connection) => {
      await connection.head();
    });
    const app = await startCluster({ endpoints: [upstream.address] });
    const cancellation = new Cancellation();
    const deadline = new UpstreamError(504, 'UT', 'upstream_response_timeout', { untouched: false });

    const failure = failureOf(exchange(app, { cancellation }));
    await eventually(() => upstream.connections.length === 1, 'the request is under way');
    cancellation.cancel(deadline);

    expect(await failure).toBe(deadline);
    await atRest(app);
  });
});

it('a request body that lies about its length breaks the request', async () => {
  const upstream = await startUpstream(async (connection) => {
    await connection.head();
  });
  const app = await startCluster({ endpoints: [upstream.address] });
  const body = new BodyStream(10, { resume: () => {}, cancel: () => {} });

  const failure = failureOf(exchange(app, { method: 'POST', body }));
  body.push(Buffer.from('abc'));
  body.end();

  expect(await failure).toMatchObject({ flag: 'DC', details: 'downstream_request_incomplete' });
  await (
    await upstream.connection(0)
  ).closed;
  await atRest(app);
});
