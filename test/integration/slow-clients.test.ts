import { connect as connectTls } from 'node:tls';
import { connect, type Socket } from 'node:net';
import { get } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { localReply, type Response } from '../../src/http/index.ts';
import { BodyStream } from '../../src/http/index.ts';
import { startApp } from '../support/app.ts';
import { makeAuthority } from '../support/certificates.ts';
import { exchangeRaw, folderOf, RawClient, startListener, statusesIn } from '../support/listener-harness.ts';
import { startPortico } from '../support/portico.ts';

const ask = 'GET / HTTP/1.1\r\nHost: t\r\n\r\n';

/** Connections that send nothing more than this. */
async function crowd(port: number, count: number, first: string): Promise<Socket[]> {
  const sockets: Socket[] = [];
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  for (let at = 0; at < count; at += 100) {
    await Promise.all(
      Array.from({ length: Math.min(100, count - at) }, async () => {
        const socket = connect({ port, host: '127.0.0.1' });
        sockets.push(socket);
        socket.on('error', () => {});
        socket.resume();
        await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve));
        socket.write(first);
      }),
    );
  }
  return sockets;
}

/** Milliseconds and status of a GET on a connection of its own. */
function timed(port: number, path: string): Promise<{ status: number; milliseconds: number }> {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    get({ port, host: '127.0.0.1', path, agent: false }, (response) => {
      response.resume();
      response.on('end', () => resolve({ status: response.statusCode!, milliseconds: performance.now() - began }));
    }).on('error', reject);
  });
}

describe('a request body', () => {
  it('that arrives more slowly than min_request_body_rate is answered 408, one that is fast enough goes on', async () => {
    const { port, logs, stats } = await startListener({
      config: { min_request_body_rate: 100 },
      answer: async ({ request }) => {
        await new Promise<void>((resolve, reject) =>
          request.body.pipe({ data: () => true, end: () => resolve(), error: reject }),
        );
        return localReply(200, 'ok');
      },
    });
    const slow = await RawClient.connect(port);
    const chunked = await RawClient.connect(port);
    const good = await RawClient.connect(port);
    slow.write('POST /slow HTTP/1.1\r\nHost: t\r\nContent-Length: 100000\r\n\r\n');
    chunked.write('POST /slow HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n');
    good.write('POST /good HTTP/1.1\r\nHost: t\r\nContent-Length: 1400\r\n\r\n');
    let ticks = 0;
    const timer = setInterval(() => {
      slow.write('x');
      chunked.write('1\r\nx\r\n');
      if (ticks++ < 14) good.write('x'.repeat(100));
    }, 500);
    onTestFinished(() => clearInterval(timer));
    expect(statusesIn(await slow.end())).toEqual([408]);
    expect(statusesIn(await chunked.end())).toEqual([408]);
    await good.expects('200 OK');
    clearInterval(timer);
    const refused = (await logs(3)).filter(({ request }) => request.path === '/slow');
    for (const { responseCodeDetails, responseFlags } of refused)
      expect([responseCodeDetails, responseFlags]).toEqual(['request_body_too_slow', ['DT']]);
    expect(await stats.render()).toContain(
      'portico_http_protocol_errors_total{listener="test",details="request_body_too_slow"} 2',
    );
  });

  it('that nobody reads is not called slow', async () => {
    let answer: (response: Response) => void = () => {};
    const { port, answered } = await startListener({
      answer: () => new Promise((resolve) => (answer = resolve)),
      config: { min_request_body_rate: 1000 },
    });
    const client = await RawClient.connect(port);
    client.write('POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1000000\r\n\r\n').write('x'.repeat(500_000));
    await new Promise((resolve) => setTimeout(resolve, 6000));
    expect(client.received).toBe('');
    expect(answered).toHaveLength(1);
    answer(localReply(200, 'ok'));
    await client.expects('200 OK');
  });
});

describe('a client that does not read', () => {
  it('loses an answer after stream_flush_timeout, and the log says so', async () => {
    let cancelled = false;
    const { port, logs } = await startListener({
      config: { stream_flush_timeout: '300ms' },
      answer() {
        const chunk = Buffer.alloc(64 * 1024, 'x');
        const body: BodyStream = new BodyStream(undefined, {
          resume: () => fill(),
          cancel: () => (cancelled = true),
        });
        const fill = () => {
          let more = true;
          while (more && !cancelled) more = body.push(chunk);
        };
        setImmediate(fill);
        const response = localReply(200, 'ok');
        response.body = body;
        return response;
      },
    });
    const client = await RawClient.connect(port);
    client.socket.pause();
    client.write(ask);
    const [exchange] = await logs(1);
    expect(exchange!.responseCodeDetails).toBe('stream_flush_timeout');
    expect(exchange!.responseFlags).toEqual(['SI']);
    expect(cancelled).toBe(true);
    expect(exchange!.duration).toBeLessThan(5000);
  });

  it('cannot make the proxy hold answer after answer by asking on', async () => {
    const { port, answered, stats } = await startListener({
      config: { stream_flush_timeout: '500ms' },
      answer: () => localReply(200, 'ok', { body: 'x'.repeat(60_000) }),
    });
    const client = await RawClient.connect(port);
    client.socket.pause();
    client.write(ask.repeat(1000));
    const closed = new Promise((resolve) => client.socket.on('close', resolve));
    await expect
      .poll(async () => stats.render())
      .toContain('portico_listener_connections_cut_total{listener="test",reason="stream_flush_timeout"} 1');
    // What the kernel takes, and no more: 1,000 answers would be 60 MB.
    expect(answered.length).toBeLessThan(300);
    client.socket.destroy();
    await closed;
  });

  it('gets the whole of a last answer when it reads on late', async () => {
    const { port } = await startListener({
      answer: () => localReply(200, 'ok', { body: 'x'.repeat(16 * 1024 * 1024) }),
    });
    const client = await RawClient.connect(port);
    client.socket.pause();
    client.write('GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n');
    await new Promise((resolve) => setTimeout(resolve, 1500));
    client.socket.resume();
    const text = await client.end();
    expect(text.length - text.indexOf('\r\n\r\n') - 4).toBe(16 * 1024 * 1024);
  });

  it('gets all answers in order when it reads in the end', async () => {
    const { port } = await startListener({
      answer: ({ request }) => localReply(200, 'ok', { body: `${request.path} ${'x'.repeat(60_000)}` }),
    });
    const client = await RawClient.connect(port);
    client.socket.pause();
    for (let count = 0; count < 200; count++) client.write(`GET /${count} HTTP/1.1\r\nHost: t\r\n\r\n`);
    await new Promise((resolve) => setTimeout(resolve, 300));
    client.socket.resume();
    const text = await client.until(
      ({ received }) => received.length >= 200 * 60_000 && /\/199 x{60000}$/.test(received),
    );
    expect([...text.matchAll(/\r\n\r\n\/(\d+) /g)].map(([, path]) => Number(path))).toEqual(
      Array.from({ length: 200 }, (_, index) => index),
    );
  });
});

describe('a TLS client that does not shake hands', () => {
  it('is closed after handshake_timeout, and counted', async () => {
    const authority = await makeAuthority();
    const { cert, key } = await authority.issue('localhost');
    const { port, stats } = await startListener({
      folder: folderOf({ 'tls.crt': cert, 'tls.key': key }),
      config: {
        request_headers_timeout: '200ms',
        tls: {
          certificates: [{ certificate_chain: 'tls.crt', private_key: 'tls.key' }],
          handshake_timeout: '100ms',
        },
      },
    });
    expect(await exchangeRaw(port, '')).toBe('');
    expect(await stats.render()).toContain('portico_listener_tls_handshake_failures_total{listener="test"} 1');
    // And one that says nothing behind the handshake.
    const silent = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
    silent.on('error', () => {});
    await new Promise((resolve) => silent.on('close', resolve).resume());
    expect(await stats.render()).toContain(
      'portico_listener_connections_cut_total{listener="test",reason="request_headers_timeout"} 1',
    );
  });
});

describe('too many connections', () => {
  it('close the one that has been idle for longest, not the new one', async () => {
    const { port, stats } = await startListener({ config: { max_connections: 3 } });
    const clients: RawClient[] = [];
    for (let count = 0; count < 3; count++) {
      const client = await RawClient.connect(port);
      clients.push(client.write(ask));
      await client.expects('GET /\n');
      // The clock of idleness ticks every 100 ms.
      await new Promise((resolve) => setTimeout(resolve, 220));
    }
    clients[0]!.received = '';
    await clients[0]!.write(ask).expects('GET /\n');
    const other = await RawClient.connect(port);
    await other.write(ask).expects('GET /\n');
    await clients[1]!.end();
    expect(clients.map(({ closed }) => closed)).toEqual([false, true, false]);
    expect(await stats.render()).toContain(
      'portico_listener_connections_cut_total{listener="test",reason="longest_idle"} 1',
    );
  });

  it('are refused, counted and logged when none is idle', async () => {
    const { port, stats, complaints } = await startListener({
      config: { max_connections: 2 },
      answer: () => new Promise(() => {}),
    });
    for (let count = 0; count < 2; count++) (await RawClient.connect(port)).write(ask);
    await expect.poll(() => stats.render()).toContain('portico_http_active_exchanges{listener="test"} 2');
    for (let count = 0; count < 3; count++) expect(await exchangeRaw(port, ask)).toBe('');
    expect(await stats.render()).toContain(
      'portico_listener_connections_refused_total{listener="test",reason="max_connections"} 3',
    );
    expect(complaints).toEqual([expect.stringContaining('"reason":"max_connections"')]);
  });

  it('of one client are refused', async () => {
    const { port, stats } = await startListener({ config: { max_connections_per_client: 2 } });
    const clients = [await RawClient.connect(port), await RawClient.connect(port)];
    for (const client of clients) await client.write(ask).expects('GET /\n');
    expect(await exchangeRaw(port, ask)).toBe('');
    expect(await stats.render()).toContain(
      'portico_listener_connections_refused_total{listener="test",reason="max_connections_per_client"} 1',
    );
    clients[0]!.socket.destroy();
    await expect.poll(() => exchangeRaw(port, 'GET / HTTP/1.0\r\n\r\n').catch(() => '')).toContain('200');
  });
});

describe('two thousand slow connections', () => {
  it.each([
    ['that say nothing', ''],
    ['in the middle of their headers', 'GET / HTTP/1.1\r\nHost: t\r\nX-Slow: '],
    ['in the middle of their body', 'POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1000\r\n\r\nx'],
  ])('%s leave the others and the admin port fast, and end in time', { timeout: 40_000 }, async (_what, first) => {
    const app = await startApp();
    const portico = await startPortico(`
listeners: [{ name: http, address: 127.0.0.1:0, request_headers_timeout: 3s, request_timeout: 3s }]
http_filters: []
clusters:
  - { name: app, endpoints: ['127.0.0.1:${app.port}'], circuit_breakers: { max_connections: 3000, max_requests: 3000, max_pending_requests: 3000 } }`);
    const sockets = await crowd(portico.port(), 2000, first);
    // App, proxy and clients share this process: what is measured is the proxy with its crowd, not its arrival.
    if (first.startsWith('POST')) await expect.poll(() => app.requests.length, { timeout: 10_000 }).toBe(2000);
    for (let count = 0; count < 3; count++) {
      const ready = await timed(portico.adminPort, '/ready');
      expect(ready.status).toBe(200);
      expect(ready.milliseconds).toBeLessThan(200);
      const good = await timed(portico.port(), '/good');
      expect(good.status).toBe(200);
      expect(good.milliseconds).toBeLessThan(500);
    }
    await expect.poll(() => sockets.filter((socket) => !socket.destroyed).length, { timeout: 15_000 }).toBe(0);
    expect((await timed(portico.port(), '/after')).status).toBe(200);
  });
});
