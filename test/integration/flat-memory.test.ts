import { spawn } from 'node:child_process';
import http2 from 'node:http2';
import net, { type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually, startUpstream } from '../support/cluster-harness.ts';
import { startBulkFront } from '../support/bulk.ts';
import type { Portico } from '../support/portico.ts';
import { probe } from '../support/probing-client.ts';
import { clusterMetric, startFront } from '../support/resilience.ts';
import { answering, response, type Script } from '../support/scripted-upstream.ts';

/** A client with one request under way, and how it leaves. */
type Leave = () => void;
type Client = (port: number) => Leave;

const overHttp1 =
  (leave: (socket: Socket) => void): Client =>
  (port) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.resume();
    socket.write('GET / HTTP/1.1\r\nHost: app.example\r\n\r\n');
    onTestFinished(() => void socket.destroy());
    return () => leave(socket);
  };

const overHttp2 =
  (leave: (stream: http2.ClientHttp2Stream, session: http2.ClientHttp2Session) => void): Client =>
  (port) => {
    const session = http2.connect(`http://127.0.0.1:${port}`);
    session.on('error', () => {});
    const stream = session.request({ ':path': '/' });
    stream.on('error', () => {});
    stream.resume();
    onTestFinished(() => session.destroy());
    return () => leave(stream, session);
  };

const clients: Record<string, Client> = {
  'HTTP/1 FIN': overHttp1((socket) => socket.destroy()),
  'HTTP/1 RST': overHttp1((socket) => socket.resetAndDestroy()),
  'HTTP/2 RST_STREAM': overHttp2((stream) => stream.close(http2.constants.NGHTTP2_CANCEL)),
  'HTTP/2 GOAWAY': overHttp2((_stream, session) => session.goaway(http2.constants.NGHTTP2_CANCEL)),
  'HTTP/2 FIN': overHttp2((_stream, session) => session.destroy()),
};

/** Which gauges say that something is held. */
async function held(portico: Portico): Promise<string[]> {
  const all: [string, number][] = [
    ['active_exchanges', (await portico.metric('portico_http_active_exchanges{listener="http"}')) ?? 0],
  ];
  for (const name of ['upstream_requests_active', 'upstream_connections', 'pending_requests', 'held_requests'])
    all.push([name, await clusterMetric(portico, name)]);
  const [cluster] = await portico.server.view.clusters();
  for (const [ceiling, { used }] of Object.entries(cluster!.circuit_breakers)) all.push([ceiling, used]);
  return all.filter(([, value]) => value !== 0).map(([name, value]) => `${name} ${value}`);
}

/**
 * Leaves, and answers after how many milliseconds nothing was held any more: looked at once a turn of the event loop, which
 * is that of Portico too, so that neither a poll nor a request for metrics is in what is measured.
 */
async function timeToRelease(portico: Portico, leave: Leave): Promise<number> {
  const left = performance.now();
  leave();
  while (!(await isFree(portico)) && performance.now() - left < 10_000) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  const took = performance.now() - left;
  expect(await held(portico)).toEqual([]);
  return took;
}

/** Whether nothing is held, as Portico itself sees it. */
async function isFree({ server: { view } }: Portico): Promise<boolean> {
  const [clusters, listeners] = await Promise.all([view.clusters(), view.listeners()]);
  return (
    listeners.every(({ active_exchanges }) => active_exchanges === 0) &&
    clusters.every(({ circuit_breakers }) => Object.values(circuit_breakers).every(({ used }) => used === 0))
  );
}

/** An address where connections are neither accepted nor refused: the queue of a process that sleeps is full. */
async function unreachable(): Promise<string> {
  const program = `const server = require('node:net').createServer();
server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
  require('node:fs').writeSync(1, String(server.address().port));
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
});`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const port = Number(await new Promise((resolve) => child.stdout.once('data', resolve)));
  for (let at = 0; at < 4; at++) {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', () => {});
    onTestFinished(() => void socket.destroy());
    await new Promise<void>((resolve) => {
      socket.once('connect', () => resolve());
      setTimeout(resolve, 100);
    });
  }
  return `127.0.0.1:${port}`;
}

// Up to 65 ms, 50 of which are the wait whether a FIN is only half a close. A machine that stops us meanwhile gets another try.
describe('RE25 a client that leaves frees everything within 100 ms', { retry: 2 }, () => {
  const cluster = { circuit_breakers: { max_requests: 1 } };
  const limit = 100;

  describe.each(Object.entries(clients))('%s', (_name, client) => {
    it('while the app is not connected', async () => {
      const portico = await startFront([await unreachable()], { cluster: { ...cluster, connect_timeout: '10s' } });
      const leave = client(portico.port());
      await eventually(async () => (await held(portico)).includes('upstream_connections 1'), 'it connects');
      expect(await held(portico)).toContain('active_exchanges 1');
      expect(await timeToRelease(portico, leave)).toBeLessThan(limit);
    });

    it('while the app thinks', async () => {
      const silent: Script = async (connection) => void (await connection.head());
      const upstream = await startUpstream([silent, answering(response(200, 'hello'))]);
      const portico = await startFront([upstream.address], { cluster });
      const leave = client(portico.port());
      await eventually(() => upstream.connections[0]?.text.includes('\r\n\r\n') === true, 'the app has it');
      expect(await held(portico)).toEqual(expect.arrayContaining(['active_exchanges 1', 'max_requests 1']));
      expect(await timeToRelease(portico, leave)).toBeLessThan(limit);
      await upstream.connections[0]!.closed;
      expect((await probe(portico.port())).status).toBe(200);
    });

    it('while the answer flows', async () => {
      const endless: Script = async (connection) => {
        await connection.head();
        await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n');
        while (!connection.ended) {
          await connection.write(Buffer.alloc(16 * 1024, 'x'));
          await connection.wait(1);
        }
      };
      const upstream = await startUpstream([endless, answering(response(200, 'hello'))]);
      const portico = await startFront([upstream.address], { cluster });
      const leave = client(portico.port());
      await eventually(
        async () => (await clusterMetric(portico, 'upstream_requests_total', ',code_class="2xx"')) === 1,
        'it flows',
      );
      expect(await held(portico)).toEqual(expect.arrayContaining(['active_exchanges 1', 'max_requests 1']));
      expect(await timeToRelease(portico, leave)).toBeLessThan(limit);
      await upstream.connections[0]!.closed;
      expect((await probe(portico.port())).status).toBe(200);
    });
  });
});

describe('a body with one slow side is held back, not held', () => {
  const MiB = 1024 * 1024;

  // The long form, ten times as much, is `npm run soak -- flat-memory`.
  it('grows memory by at most 32 MiB while 200 MB pass', { timeout: 240_000 }, async () => {
    const front = await startBulkFront();
    onTestFinished(() => front.close());
    for (const protocol of ['HTTP/1', 'HTTP/2'] as const) {
      for (const direction of ['down', 'up'] as const) {
        await front.run({ protocol, direction, bytes: 80 * MiB, rate: 150 * MiB });
        const bytes = 200 * MiB;
        const { received, mostHeld, growth } = await front.run({ protocol, direction, bytes, rate: 100 * MiB });
        expect(received, `${protocol} ${direction}`).toBe(bytes);
        expect(mostHeld, `${protocol} ${direction}, held`).toBeLessThan(4 * MiB);
        expect(growth, `${protocol} ${direction}, growth`).toBeLessThan(32 * MiB);
      }
    }
  });
});
