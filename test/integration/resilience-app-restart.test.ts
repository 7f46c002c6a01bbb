import net from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { appProcess, freePort } from '../support/app-process.ts';
import { load, probe, ProbingClient, tally, type Probe } from '../support/probing-client.ts';
import { backToRest, clusterMetric, startFront } from '../support/resilience.ts';
import { eventually } from '../support/cluster-harness.ts';
import type { Portico } from '../support/portico.ts';

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** An app on a fixed port that can go, and come back; it counts what arrives and how much of it at a time. */
async function mortalApp(answerAfter = 0) {
  const port = await freePort();
  const arrived: string[] = [];
  const sockets = new Set<net.Socket>();
  let server: net.Server | undefined;
  const peak = { now: 0, most: 0 };
  async function start() {
    server = net.createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
      socket.on('data', (chunk) => {
        arrived.push(chunk.toString('latin1'));
        peak.most = Math.max(peak.most, ++peak.now);
        setTimeout(() => {
          peak.now--;
          socket.write(ok);
        }, answerAfter);
      });
    });
    await new Promise<void>((resolve) => server!.listen(port, '127.0.0.1', resolve));
  }
  async function stop() {
    const going = server;
    server = undefined;
    for (const socket of sockets) socket.destroy();
    if (going !== undefined) await new Promise((resolve) => going.close(resolve));
  }
  onTestFinished(stop);
  return { port, arrived, peak, start, stop };
}

async function held(portico: Portico, count: number) {
  await eventually(async () => (await clusterMetric(portico, 'held_requests')) === count, `${count} requests wait`);
}

describe('an app that was there and refuses connections', () => {
  it('RE44 is waited for: requests of every method go through when it is back, once', async () => {
    const app = await mortalApp();
    await app.start();
    const portico = await startFront([`127.0.0.1:${app.port}`]);
    expect((await probe(portico.port())).status).toBe(200);
    await app.stop();
    app.arrived.length = 0;
    const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
    const waiting = methods.map((method) => probe(portico.port(), { method, body: method === 'GET' ? '' : 'body' }));
    await held(portico, 5);
    await app.start();
    expect(tally(await Promise.all(waiting))).toEqual({ 200: 5 });
    expect(app.arrived.map((text) => text.slice(0, text.indexOf(' '))).sort()).toEqual(methods.sort());
    expect(await clusterMetric(portico, 'held_requests_total', ',result="released"')).toBe(5);
    await backToRest(portico);
  });

  it('RE44 gives 503 with Retry-After when it is not back in time, and when too many wait', async () => {
    const app = await mortalApp();
    await app.start();
    const hold = { max_requests: 3, max_wait: '300ms' };
    const portico = await startFront([`127.0.0.1:${app.port}`], { cluster: { hold } });
    await probe(portico.port());
    await app.stop();
    const waiting = [1, 2, 3].map(() => probe(portico.port()));
    await held(portico, 3);
    const fourth = await probe(portico.port());
    expect([fourth.status, fourth.body.trim(), fourth.headers['retry-after']]).toEqual([
      503,
      'upstream_hold_overflow',
      '1',
    ]);
    expect(fourth.milliseconds).toBeLessThan(100);
    for (const { status, body, headers, milliseconds } of await Promise.all(waiting)) {
      expect([status, body.trim(), headers['retry-after']]).toEqual([503, 'upstream_hold_timeout', '1']);
      expect(milliseconds).toBeGreaterThan(250);
      expect(milliseconds).toBeLessThan(600);
    }
    await backToRest(portico);
  });

  it('RE44 is not waited for longer than the timeout of the route', async () => {
    const app = await mortalApp();
    await app.start();
    const portico = await startFront([`127.0.0.1:${app.port}`], { route: { timeout: '200ms' } });
    await probe(portico.port());
    await app.stop();
    const result = await probe(portico.port());
    expect([result.status, result.body.trim()]).toEqual([503, 'upstream_hold_timeout']);
    expect(result.milliseconds).toBeLessThan(260);
  });

  it('RE44 is not waited for when it has been away for too long', async () => {
    const app = await mortalApp();
    await app.start();
    const hold = { max_wait: '100ms', max_outage: '200ms' };
    const portico = await startFront([`127.0.0.1:${app.port}`], { cluster: { hold } });
    await probe(portico.port());
    await app.stop();
    expect((await probe(portico.port())).body.trim()).toBe('upstream_hold_timeout');
    await pause(150);
    const late = await probe(portico.port());
    expect([late.status, late.body.trim()]).toEqual([503, 'upstream_connect_failure{connection_refused}']);
    await app.start();
    expect((await probe(portico.port())).status).toBe(200);
  });

  it('RE44 is not flooded when it is back: a few first, then as fast as it answers', async () => {
    const app = await mortalApp(10);
    await app.start();
    const portico = await startFront([`127.0.0.1:${app.port}`], { cluster: { hold: { probe_interval: '100ms' } } });
    await probe(portico.port());
    await app.stop();
    const waiting = Array.from({ length: 100 }, () => probe(portico.port()));
    await held(portico, 100);
    app.peak.most = 0;
    await app.start();
    await eventually(() => app.peak.most > 0, 'the first arrive');
    const atFirst = app.peak.most;
    expect(tally(await Promise.all(waiting))).toEqual({ 200: 100 });
    expect(atFirst).toBeLessThanOrEqual(8);
    await backToRest(portico);
  });

  it('RE44 leaves nothing behind when its clients leave', async () => {
    const app = await mortalApp();
    await app.start();
    const portico = await startFront([`127.0.0.1:${app.port}`]);
    await probe(portico.port());
    await app.stop();
    const clients = Array.from({ length: 10 }, () => new ProbingClient(portico.port()));
    const waiting = clients.map((client) => client.send());
    await held(portico, 10);
    for (const client of clients) client.socket!.destroy();
    await Promise.all(waiting);
    await held(portico, 0);
    expect(await clusterMetric(portico, 'held_requests_total', ',result="cancelled"')).toBe(10);
  });
});

it('RE44 an app that never was there gives 503 at once, and is served within a second when it is there', async () => {
  const app = await mortalApp();
  const portico = await startFront([`127.0.0.1:${app.port}`]);
  const early = await probe(portico.port());
  expect([early.status, early.body.trim()]).toEqual([503, 'upstream_connect_failure{connection_refused}']);
  expect(early.milliseconds).toBeLessThan(500);
  await app.start();
  expect((await probe(portico.port())).status).toBe(200);
});

it('RE12 kill -9 and restart of a real app under load: no GET fails, three times', { timeout: 30_000 }, async () => {
  const app = await appProcess();
  await app.start();
  onTestFinished(() => app.kill());
  const portico = await startFront([`127.0.0.1:${app.port}`]);
  const running: Promise<Probe[]> = load(portico.port(), { rate: 200, duration: 3600, request: () => ({}) });
  for (let n = 0; n < 3; n++) {
    await pause(700);
    await app.kill();
    await app.start();
  }
  const results = await running;
  expect(results.length).toBeGreaterThanOrEqual(700);
  expect(tally(results)).toEqual({ 200: results.length });
  expect(await clusterMetric(portico, 'held_requests_total', ',result="released"')).toBeGreaterThan(0);
  await backToRest(portico);
});
