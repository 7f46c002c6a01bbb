import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { BodyStream, BytesBody, Cancellation, chunksOf, Headers, readAll, textBody } from '../../src/http/index.ts';
import { answering, response } from '../support/scripted-upstream.ts';
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

/** What was sent, as far as it is no matter of taste: the case of our own lines, and an option that goes without saying. */
const lines = (text: string) =>
  text
    .replace(/\r\nConnection: keep-alive(?=\r\n)/gi, '')
    .replace(/\r\n(?:Host|Content-Length|Transfer-Encoding):/gi, (name) => name.toLowerCase());

describe('a request to the app', () => {
  it('is written with our host and framing, and all other lines as they stand', async () => {
    const upstream = await startUpstream(answering(ok));
    const app = await startCluster({ endpoints: [upstream.address] });
    const headers = new Headers([
      'X-One',
      '1',
      'accept',
      'a',
      'x-one',
      '2',
      'Accept',
      'b',
      'X-Latin',
      'caf\xe9',
      'Expect',
      '100-continue',
    ]);

    await exchange(app, { path: '/a//b/../c?x=%2f', headers });

    expect(lines(upstream.connections[0]!.text)).toBe(
      'GET /a//b/../c?x=%2f HTTP/1.1\r\nhost: example.test\r\n' +
        'X-One: 1\r\naccept: a\r\nx-one: 2\r\nAccept: b\r\nX-Latin: caf\xe9\r\n\r\n',
    );
  });

  it.each([
    ['GET', ''],
    ['HEAD', ''],
    ['DELETE', ''],
    ['OPTIONS', ''],
    ['POST', 'content-length: 0\r\n'],
    ['PUT', 'content-length: 0\r\n'],
    ['PATCH', 'content-length: 0\r\n'],
  ])('%s without content is framed by «%s»', async (method, framing) => {
    const upstream = await startUpstream(answering(response(204)));
    const app = await startCluster({ endpoints: [upstream.address] });

    await exchange(app, { method });

    expect(lines(upstream.connections[0]!.text)).toBe(`${method} / HTTP/1.1\r\nhost: example.test\r\n${framing}\r\n`);
  });

  it.each(['GET', 'POST', 'DELETE', 'OPTIONS', 'PROPFIND'])(
    '%s with a body at hand declares its length, and the connection lives on',
    async (method) => {
      const upstream = await startUpstream(async (connection) => {
        for (;;) {
          await connection.head();
          await connection.read(5);
          await connection.write(ok);
        }
      });
      const app = await startCluster({ endpoints: [upstream.address] });

      await exchange(app, { method, body: textBody('12345') });
      await exchange(app, { method, body: textBody('12345') });

      expect(upstream.connections).toHaveLength(1);
      const request = `${method} / HTTP/1.1\r\nhost: example.test\r\ncontent-length: 5\r\n\r\n12345`;
      expect(lines(upstream.connections[0]!.text)).toBe(request + request);
    },
  );

  it('about the server as a whole reaches it as such', async () => {
    const upstream = await startUpstream(answering(ok));
    const app = await startCluster({ endpoints: [upstream.address] });

    expect((await exchange(app, { method: 'OPTIONS', path: '*' })).text).toBe('hello');

    // The two forms mean the same (RFC 9112 §3.2.4).
    expect(upstream.connections[0]!.text).toMatch(/^OPTIONS (?:\*|http:\/\/example\.test) HTTP\/1\.1\r\n/);
  });

  it('with one chunk of body arrives in one piece with its head', async () => {
    let first = '';
    const upstream = await startUpstream((connection) => {
      connection.socket.once('data', (chunk: Buffer) => {
        first = chunk.toString('latin1');
        void connection.write(ok);
      });
    });
    const app = await startCluster({ endpoints: [upstream.address] });

    await exchange(app, { method: 'POST', body: textBody('x'.repeat(1000)) });

    expect(lines(first)).toMatch(/content-length: 1000\r\n\r\nx{1000}$/);
  });

  it('streams a body of known length under that length', async () => {
    const upstream = await startUpstream(async (connection) => {
      await connection.head();
      await connection.read(6);
      await connection.write(ok);
    });
    const app = await startCluster({ endpoints: [upstream.address] });
    const body = new BodyStream(6, { resume: () => {}, cancel: () => {} });

    const answer = exchange(app, { method: 'GET', body });
    body.push(Buffer.from('abc'));
    await eventually(
      () => upstream.connections[0]?.text.endsWith('abc') === true,
      'the first half arrives before the second is there',
    );
    body.push(Buffer.from('def'));
    body.end();

    expect((await answer).text).toBe('hello');
    expect(lines(upstream.connections[0]!.text)).toMatch(/\r\ncontent-length: 6\r\n\r\nabcdef$/);
    expect(upstream.connections[0]!.text).not.toMatch(/transfer-encoding/i);
  });

  it.each(['POST', 'GET', 'DELETE'])('%s streams a body of unknown length in chunks', async (method) => {
    const upstream = await startUpstream(async (connection) => {
      await connection.until('\r\n0\r\n\r\n');
      await connection.write(ok);
    });
    const app = await startCluster({ endpoints: [upstream.address] });
    const body = new BodyStream(undefined, { resume: () => {}, cancel: () => {} });

    const answer = exchange(app, { method, body });
    body.push(Buffer.from('abc'));
    await eventually(() => upstream.connections[0]?.text.includes('\r\n3\r\nabc') === true, 'the first chunk arrives');
    body.push(Buffer.from('defg'));
    body.end();

    expect((await answer).text).toBe('hello');
    expect(lines(upstream.connections[0]!.text)).toMatch(
      /\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n$/,
    );
  });

  it('whose body breaks off never looks complete to the app', async () => {
    const upstream = await startUpstream(async (connection) => {
      await connection.until('abc');
    });
    const app = await startCluster({ endpoints: [upstream.address] });
    const body = new BodyStream(undefined, { resume: () => {}, cancel: () => {} });

    const failure = failureOf(exchange(app, { method: 'POST', body }));
    body.push(Buffer.from('abc'));
    await eventually(() => upstream.connections[0]?.text.includes('abc') === true, 'the first chunk arrives');
    body.fail(new Error('the client left'));

    expect(await failure).toMatchObject({ flag: 'DC', details: 'downstream_request_incomplete', untouched: false });
    await upstream.connections[0]!.closed;
    expect(upstream.connections[0]!.text).not.toContain('\r\n0\r\n');
    await atRest(app);
  });

  it('is stopped by an app that does not read, and goes on when it does', async () => {
    let go = () => {};
    const reading = new Promise<void>((resolve) => (go = resolve));
    const size = 32 * 1024 * 1024;
    const upstream = await startUpstream(async (connection) => {
      await connection.head();
      connection.stopReading();
      await reading;
      let seen = 0;
      const enough = new Promise<void>((resolve) =>
        connection.socket.on('data', (chunk: Buffer) => {
          seen += chunk.length;
          connection.received = Buffer.alloc(0);
          if (seen >= size - 1024 * 1024) resolve();
        }),
      );
      connection.socket.resume();
      await enough;
      await connection.write(ok);
    });
    const app = await startCluster({ endpoints: [upstream.address] });
    let given = 0;
    const chunk = Buffer.alloc(64 * 1024);
    const pump = () => {
      while (given < size) {
        given += chunk.length;
        if (!body.push(chunk)) return;
      }
      body.end();
    };
    const body = new BodyStream(size, { resume: pump, cancel: () => {} });

    const answer = exchange(app, { method: 'POST', body });
    pump();
    let before = -1;
    await eventually(async () => {
      const still = given === before;
      before = given;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return still && given > 0;
    }, 'the producer is asked to pause');
    expect(given).toBeLessThan(size / 2);
    go();

    expect((await answer).status).toBe(200);
    expect(given).toBe(size);
  });
});

describe('a response of the app', () => {
  it('keeps order, case and number of its lines, without hop-by-hop fields and framing', async () => {
    const upstream = await startUpstream(
      answering(
        'HTTP/1.1 200 OK\r\nX-B: 1  \r\nset-cookie: a=1\r\nSet-Cookie: b=2\r\nx-b: caf\xe9\r\nConnection: keep-alive, X-Secret\r\n' +
          'X-Secret: s\r\nKeep-Alive: timeout=9\r\nContent-Length: 2\r\n\r\nok',
      ),
    );
    const app = await startCluster({ endpoints: [upstream.address] });

    const answer = await exchange(app);

    expect(answer.headers.flat).toEqual(['X-B', '1', 'set-cookie', 'a=1', 'Set-Cookie', 'b=2', 'x-b', 'caf\xe9']);
    expect(answer).toMatchObject({ status: 200, text: 'ok', endpoint: upstream.address });
    expect(answer.body.length).toBe(2);
  });

  it('that came in one piece is at hand as a whole', async () => {
    const upstream = await startUpstream(answering(ok));
    const app = await startCluster({ endpoints: [upstream.address] });

    const answer = await send(app.cluster, attempt());

    expect(Buffer.from(answer.body.whole!).toString()).toBe('hello');
  });

  it.each<[string, string, string, number, string | undefined]>([
    [
      'HEAD with a length',
      'HEAD',
      'HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 500\r\n\r\n',
      200,
      '500',
    ],
    [
      'HEAD in chunks',
      'HEAD',
      'HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n',
      200,
      undefined,
    ],
    ['304 with a length', 'GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n', 304, '500'],
    ['204', 'GET', 'HTTP/1.1 204 No Content\r\n\r\n', 204, undefined],
    ['204 with a length', 'GET', 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello', 204, undefined],
  ])('without content, %s, is complete at once', async (_name, method, text, status, length) => {
    const upstream = await startUpstream(answering(text));
    const app = await startCluster({ endpoints: [upstream.address] });

    const answer = await exchange(app, { method });
    const again = await exchange(app, { method });

    expect(answer).toMatchObject({ status, text: '' });
    expect(answer.headers.get('content-length')).toBe(length);
    expect(again).toMatchObject({ status, text: '' });
    await atRest(app);
  });

  it('keeps its connection after HEAD when the app says so', async () => {
    const upstream = await startUpstream(
      answering('HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 500\r\n\r\n'),
    );
    const app = await startCluster({ endpoints: [upstream.address] });

    await exchange(app, { method: 'HEAD' });
    await exchange(app, { method: 'HEAD' });

    expect(upstream.connections).toHaveLength(1);
  });

  it('passes on trailers, but none that would change the head afterwards', async () => {
    const upstream = await startUpstream(
      answering(
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 9\r\nSet-Cookie: a=1\r\n\r\n',
      ),
    );
    const app = await startCluster({ endpoints: [upstream.address] });

    const { body } = await send(app.cluster, attempt());
    let text = '';
    const trailers = await new Promise<Headers | undefined>((resolve, reject) =>
      body.pipe({
        data(chunk) {
          text += Buffer.from(chunk).toString();
          return true;
        },
        end: resolve,
        error: reject,
      }),
    );

    expect(text).toBe('hello');
    expect(trailers?.flat).toEqual(['X-Sum', '9']);
  });

  it('relays interim responses as they come', async () => {
    const upstream = await startUpstream(
      answering(
        'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nKeep-Alive: x\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n' +
          'HTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\n' +
          ok,
      ),
    );
    const app = await startCluster({ endpoints: [upstream.address] });
    const informed: [number, readonly string[]][] = [];

    const answer = await exchange(app, { onInform: (status, headers) => informed.push([status, headers.flat]) });

    expect(informed).toEqual([
      [103, ['Link', '</a>']],
      [102, []],
      [103, ['Link', '</b>']],
    ]);
    expect(answer.text).toBe('hello');
  });

  it('pauses the app when nobody reads', async () => {
    let written = 0;
    const size = 64 * 1024 * 1024;
    const upstream = await startUpstream(async (connection) => {
      await connection.head();
      await connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
      const chunk = Buffer.alloc(256 * 1024, 'x');
      while (written < size) {
        await connection.write(chunk);
        written += chunk.length;
      }
    });
    const app = await startCluster({ endpoints: [upstream.address] });

    const { body } = await send(app.cluster, attempt());
    let before = -1;
    await eventually(async () => {
      const still = written === before;
      before = written;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return still && written > 0;
    }, 'the app is stopped');
    expect(written).toBeLessThan(size / 2);
    let read = 0;
    for await (const chunk of chunksOf(body)) read += chunk.byteLength;

    expect(read).toBe(size);
    await atRest(app);
  });

  it('is byte for byte what the app sent, both ways, in any chunks', async () => {
    const content = Buffer.from(Array.from({ length: 300_000 }, (_, n) => (n * 7919) & 255));
    const upstream = await startUpstream(async (connection) => {
      await connection.head();
      const text = await connection.read(content.length);
      await connection.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      for (let at = 0; at < text.length; at += 7001) {
        const part = text.slice(at, at + 7001);
        await connection.write(`${part.length.toString(16)}\r\n${part}\r\n`);
      }
      await connection.write('0\r\n\r\n');
    });
    const app = await startCluster({ endpoints: [upstream.address] });

    const { body } = await send(app.cluster, attempt({ method: 'POST', body: new BytesBody(content) }));
    const back = await readAll(body, 1_000_000);

    expect(createHash('sha256').update(back).digest('hex')).toBe(createHash('sha256').update(content).digest('hex'));
  });

  it('that comes before the upload is through stops the upload and ends the connection', async () => {
    const upstream = await startUpstream(async (connection) => {
      await connection.until('first');
      await connection.write(response(413, 'too big'));
    });
    const app = await startCluster({ endpoints: [upstream.address] });
    let cancelled = false;
    const body = new BodyStream(undefined, { resume: () => {}, cancel: () => (cancelled = true) });
    body.push(Buffer.from('first'));

    const answer = await exchange(app, { method: 'POST', body });

    expect(answer).toMatchObject({ status: 413, text: 'too big' });
    await eventually(() => cancelled, 'the upload is cancelled');
    await upstream.connections[0]!.closed;
    await atRest(app);
  });
});

describe('a client that leaves', () => {
  it('takes the upstream request with it, before the head', async () => {
    const upstream = await startUpstream(async (connection) => {
      await connection.head();
    });
    const app = await startCluster({ endpoints: [upstream.address], circuit_breakers: { max_requests: 1 } });
    const cancellation = new Cancellation();

    const failure = failureOf(exchange(app, { cancellation }));
    await eventually(() => upstream.connections[0]?.text.endsWith('\r\n\r\n') === true, 'the request arrives');
    cancellation.cancel(new Error('gone'));

    expect(await failure).toMatchObject({ flag: 'DC', untouched: false });
    await upstream.connections[0]!.closed;
    await atRest(app);
  });

  it('takes the upstream request with it, in the middle of the body', async () => {
    const upstream = await startUpstream(async (connection) => {
      await connection.head();
      await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
    });
    const app = await startCluster({ endpoints: [upstream.address] });

    const { body } = await send(app.cluster, attempt());
    body.cancel(new Error('gone'));

    await upstream.connections[0]!.closed;
    await atRest(app);
    expect(app.cluster.show().idle_connections).toBe(0);
  });

  it('before anything began asks nothing of the app', async () => {
    const upstream = await startUpstream(answering(ok));
    const app = await startCluster({ endpoints: [upstream.address] });
    const cancellation = new Cancellation();
    cancellation.cancel(new Error('gone'));

    expect(await failureOf(exchange(app, { cancellation }))).toMatchObject({ flag: 'DC', untouched: true });
    expect(upstream.connections).toHaveLength(0);
    await atRest(app);
  });
});
