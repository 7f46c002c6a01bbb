import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { answering, response, type Script } from '../support/scripted-upstream.ts';
import { startUpstream } from '../support/cluster-harness.ts';
import { probe, ProbingClient, tally, type Probe } from '../support/probing-client.ts';
import { backToRest, clusterMetric, startFront } from '../support/resilience.ts';

const ok = response(200, 'hello');
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Answers one request, and ends its side in the moment in which the next one arrives. */
const ending: Script = async (connection) => {
  await connection.head();
  await connection.write(ok);
  await connection.read(1);
  connection.fin();
};

/** Answers one request, and resets the connection in the moment in which the next one arrives. */
const racing: Script = async (connection) => {
  await connection.head();
  await connection.write(ok);
  await connection.head();
  connection.rst();
};

it('RE13 an app that closes an unused connection just when a GET arrives on it is asked again at once, and nobody sees it', async () => {
  const upstream = await startUpstream([racing, answering(ok)]);
  const portico = await startFront([upstream.address], { route: { retry_policy: { num_retries: 0 } } });
  expect((await probe(portico.port())).status).toBe(200);
  await pause(80);
  const second = await probe(portico.port());
  expect([second.outcome, second.status, second.body]).toEqual(['whole', 200, 'hello']);
  expect(second.milliseconds).toBeLessThan(100);
  expect(upstream.connections).toHaveLength(2);
  expect(await clusterMetric(portico, 'stale_connections_total')).toBe(1);
  await backToRest(portico);
});

it('RE13 the same with a POST is 502, and the app sees it once', async () => {
  const upstream = await startUpstream([racing, answering(ok)]);
  const portico = await startFront([upstream.address]);
  await probe(portico.port());
  await pause(80);
  const second = await probe(portico.port(), { method: 'POST', body: 'x' });
  expect([second.outcome, second.status]).toEqual(['whole', 502]);
  expect(upstream.connections).toHaveLength(1);
  expect(upstream.connections[0]!.text.match(/HTTP\/1\.1/g)).toHaveLength(2);
});

it.each([
  ['GET', 200, 2],
  ['POST', 502, 1],
])(
  'RE13 an app that sends FIN at the first byte of a %s: %i, and %i connections',
  async (method, status, connections) => {
    const upstream = await startUpstream([ending, answering(ok)]);
    const portico = await startFront([upstream.address], { route: { retry_policy: { num_retries: 0 } } });
    expect((await probe(portico.port())).status).toBe(200);
    await pause(80);
    const second = await probe(portico.port(), { method, body: method === 'POST' ? 'x' : '' });
    expect([second.outcome, second.status]).toEqual(['whole', status]);
    expect(upstream.connections).toHaveLength(connections);
    expect(
      upstream.connections
        .map(({ text }) => text)
        .join('')
        .match(new RegExp(`^${method} `, 'gm')),
    ).toHaveLength(method === 'GET' ? 3 : 1);
    await backToRest(portico);
  },
);

it('RE13 a POST on a connection whose end has arrived already goes on a new one', async () => {
  const closing: Script = async (connection) => {
    await connection.head();
    await connection.write(ok);
    await connection.wait(60);
    connection.fin();
  };
  const upstream = await startUpstream([closing, answering(ok)]);
  const portico = await startFront([upstream.address]);
  await probe(portico.port());
  await upstream.connections[0]!.closed;
  expect((await probe(portico.port(), { method: 'POST', body: 'x' })).status).toBe(200);
  expect(upstream.connections).toHaveLength(2);
});

describe('RE14 an app that closes unused connections after 300 ms', () => {
  it('is learned, shown as metric, and never met half way', async () => {
    let seen = new Map<string, number>();
    const app = createServer((request, answer) => {
      const id = String(request.headers['x-id']);
      seen.set(id, (seen.get(id) ?? 0) + 1);
      request.resume().on('end', () => answer.end('hello'));
    });
    // Without the hint: what the app does must be learned from what it does.
    app.keepAliveTimeout = 300;
    (app as unknown as { keepAliveTimeoutBuffer: number }).keepAliveTimeoutBuffer = 0;
    app.on('request', (_request, answer) => answer.removeHeader('keep-alive'));
    app.prependListener('request', (_request, answer) => answer.setHeader('connection', 'keep-alive'));
    await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      app.closeAllConnections();
      app.close();
    });
    const { port } = app.address() as AddressInfo;
    const portico = await startFront([`127.0.0.1:${port}`]);
    expect(await clusterMetric(portico, 'app_idle_close_seconds')).toBe(0);
    expect(await clusterMetric(portico, 'idle_timeout_seconds')).toBe(4);
    await probe(portico.port(), { headers: ['x-id: first'] });
    await pause(450);
    const learned = await clusterMetric(portico, 'app_idle_close_seconds');
    expect(learned).toBeGreaterThan(0.25);
    expect(learned).toBeLessThan(0.45);
    expect(await clusterMetric(portico, 'idle_timeout_seconds')).toBeLessThan(learned);

    seen = new Map();
    const until = performance.now() + 4000;
    const results: Probe[] = [];
    const clients = Array.from({ length: 8 }, async (_, number) => {
      const client = new ProbingClient(portico.port());
      for (let n = 0; performance.now() < until; n++) {
        const method = n % 2 === 0 ? 'GET' : 'POST';
        results.push(
          await client.send({ method, headers: [`x-id: ${number}-${n}`], body: method === 'POST' ? 'x' : '' }),
        );
        await pause(240 + Math.random() * 120);
      }
      client.close();
    });
    await Promise.all(clients);
    expect(tally(results)).toEqual({ 200: results.length });
    expect(results.length).toBeGreaterThan(60);
    expect([...seen.values()].filter((times) => times > 1)).toEqual([]);
  });
});

it('RE14 the timeout that the app announces is honoured, less its margin', async () => {
  const upstream = await startUpstream(answering(response(200, 'hello', ['Keep-Alive: timeout=1'])));
  const portico = await startFront([upstream.address]);
  await probe(portico.port());
  expect(await clusterMetric(portico, 'app_idle_close_seconds')).toBe(1);
  expect(await clusterMetric(portico, 'idle_timeout_seconds')).toBe(0.5);
  const started = performance.now();
  await upstream.connections[0]!.closed;
  expect(performance.now() - started).toBeLessThan(700);
});

it('RE12 when all kept connections are dead because the app has restarted, no GET fails', async () => {
  let arrived = 0;
  let open!: () => void;
  const all = new Promise<void>((resolve) => (open = resolve));
  const dying: Script = async (connection) => {
    await connection.head();
    if (++arrived === 10) open();
    await all;
    await connection.write(ok);
    await connection.head();
    connection.rst();
  };
  const upstream = await startUpstream([...Array.from({ length: 10 }, () => dying), answering(ok)]);
  const portico = await startFront([upstream.address]);
  const ten = () => Promise.all(Array.from({ length: 10 }, () => probe(portico.port())));
  expect(tally(await ten())).toEqual({ 200: 10 });
  await pause(80);
  expect(tally(await ten())).toEqual({ 200: 10 });
  await backToRest(portico);
});

it('RE15 a connection of which the app says close is never used again', async () => {
  const closing: Script = async (connection) => {
    for (let n = 1; ; n++) {
      await connection.head();
      await connection.write(response(200, 'hello', n % 5 === 0 ? ['Connection: close'] : []));
      if (n % 5 === 0) return connection.fin();
    }
  };
  const upstream = await startUpstream(closing);
  const portico = await startFront([upstream.address]);
  const client = new ProbingClient(portico.port());
  const results: Probe[] = [];
  for (let n = 0; n < 50; n++) results.push(await client.send());
  client.close();
  expect(tally(results)).toEqual({ 200: 50 });
  expect(upstream.connections).toHaveLength(10);
  expect(await clusterMetric(portico, 'stale_connections_total')).toBe(0);
});

it('RE16 bytes that nobody asked for end an unused connection, and reach no client', async () => {
  const poisoning: Script = async (connection) => {
    await connection.head();
    await connection.write(ok);
    await connection.wait(20);
    await connection.write(response(200, 'POISON'));
  };
  const upstream = await startUpstream([poisoning, answering(ok)]);
  const portico = await startFront([upstream.address]);
  expect((await probe(portico.port())).body).toBe('hello');
  await upstream.connections[0]!.closed;
  expect((await probe(portico.port())).body).toBe('hello');
  expect(upstream.connections).toHaveLength(2);
});

it('RE17 bytes behind a response are cut off, and its connection is not used again', async () => {
  const upstream = await startUpstream([answering(`${ok}${response(200, 'POISON')}`), answering(ok)]);
  const portico = await startFront([upstream.address]);
  expect((await probe(portico.port())).body).toBe('hello');
  expect((await probe(portico.port())).body).toBe('hello');
  expect(upstream.connections).toHaveLength(2);
});

it('RE47 thirty thousand requests would not run out of ports: connections are used again', async () => {
  const app = createServer((_request, answer) => answer.end('hello'));
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    app.closeAllConnections();
    app.close();
  });
  const portico = await startFront([`127.0.0.1:${(app.address() as AddressInfo).port}`]);
  // A listener that each request leaves behind on its socket is warned of after the tenth.
  const warnings: string[] = [];
  const warned = ({ name, message }: Error) => void warnings.push(`${name}: ${message}`);
  process.on('warning', warned);
  onTestFinished(() => void process.off('warning', warned));
  const clients = Array.from({ length: 16 }, async () => {
    const client = new ProbingClient(portico.port());
    const results: Probe[] = [];
    for (let n = 0; n < 125; n++) results.push(await client.send());
    client.close();
    return results;
  });
  expect(tally((await Promise.all(clients)).flat())).toEqual({ 200: 2000 });
  expect(await clusterMetric(portico, 'upstream_connections_total')).toBeLessThanOrEqual(16);
  expect(warnings.filter((warning) => warning.startsWith('MaxListeners'))).toEqual([]);
});
