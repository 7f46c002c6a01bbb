import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get, type ServerResponse } from 'node:http';
import { connect, type ClientHttp2Session } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startApp } from '../support/app.ts';
import { runPortico } from '../support/process.ts';

/** Answers when it is told to; `most` is how many it ever had at a time. */
async function holdingApp() {
  const waiting = new Set<ServerResponse>();
  const seen = { most: 0, holds: true };
  const app = await startApp((_request, response) => {
    waiting.add(response);
    seen.most = Math.max(seen.most, waiting.size);
    response.on('close', () => waiting.delete(response));
    if (!seen.holds) setTimeout(() => response.end('ok'), 5);
  });
  const answerAll = () => {
    for (const response of waiting) response.end('ok');
  };
  return { port: app.port, waiting, seen, answerAll };
}

interface Group {
  readonly port: number;
  admin<T>(path: string): Promise<T>;
  /** The value of the line that begins so. */
  metric(line: string): Promise<number>;
}

async function startGroup(appPort: number, workers: number, breakers: object): Promise<Group> {
  const folder = mkdtempSync(join(tmpdir(), 'portico-ceilings-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'portico.yaml');
  writeFileSync(
    file,
    `admin: { address: 127.0.0.1:0 }
workers: ${workers}
listeners: [{ name: http, address: 127.0.0.1:0 }]
http_filters: []
clusters: [{ name: app, endpoints: ['127.0.0.1:${appPort}'], circuit_breakers: ${JSON.stringify(breakers)} }]
`,
  );
  const portico = runPortico(['run', '-c', file]);
  const port = Number(await portico.says(/"http 127\.0\.0\.1:(\d+)"/));
  const admin = await portico.says(/"admin":"(127\.0\.0\.1:\d+)"/);
  return {
    port,
    admin: async <T>(path: string) => (await fetch(`http://${admin}${path}`)).json() as Promise<T>,
    async metric(begin) {
      const lines = (await (await fetch(`http://${admin}/metrics`)).text()).split('\n');
      return Number(
        lines
          .find((line) => line.startsWith(begin))
          ?.split(' ')
          .at(-1),
      );
    },
  };
}

/** The status of an answer on a connection of its own; 0 without one. */
function ask(port: number): Promise<number> {
  return new Promise((resolve) => {
    get({ host: '127.0.0.1', port, agent: false }, (response) => {
      response.resume().on('error', () => {});
      response.on('close', () => resolve(response.statusCode!));
    }).on('error', () => resolve(0));
  });
}

function open(port: number): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on('error', () => {});
  onTestFinished(() => session.destroy());
  return session;
}

function askOn(session: ClientHttp2Session): Promise<number> {
  return new Promise((resolve) => {
    const stream = session.request({ ':path': '/' });
    let status = 0;
    stream.on('response', (fields) => (status = Number(fields[':status'])));
    stream.on('error', () => {});
    stream.on('close', () => resolve(status));
    stream.resume();
  });
}

interface Shown {
  readonly clusters: readonly { readonly circuit_breakers: Record<string, { used: number; most: number }> }[];
}

describe('the ceilings of a cluster, of several workers together', { timeout: 60_000 }, () => {
  it('hold for the sum of their requests, all of which one worker may have', async () => {
    const app = await holdingApp();
    const group = await startGroup(app.port, 3, { max_requests: 20 });
    // All of them of one worker, whose part would be 7.
    const session = open(group.port);
    const first = Array.from({ length: 20 }, () => askOn(session));
    await expect.poll(() => app.waiting.size, { timeout: 10_000 }).toBe(20);
    const { clusters } = await group.admin<Shown>('/clusters?format=json');
    expect(clusters[0]!.circuit_breakers['max_requests']).toEqual({ used: 20, most: 20 });
    expect(await group.metric('portico_cluster_ceiling{cluster="app",ceiling="max_requests"}')).toBe(20);
    expect(await group.metric('portico_cluster_upstream_requests_active{')).toBe(20);

    const refused = await Promise.all(Array.from({ length: 60 }, () => ask(group.port)));
    expect(new Set(refused)).toEqual(new Set([503]));
    app.answerAll();
    expect(await Promise.all(first)).toEqual(Array.from({ length: 20 }, () => 200));

    // Whoever has them next, all workers at once.
    app.seen.holds = false;
    const statuses = await Promise.all(Array.from({ length: 400 }, () => ask(group.port)));
    expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([]);
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(20);
    expect(app.seen.most).toBe(20);
  });

  it('are as high as before when a worker has ended', async () => {
    const app = await holdingApp();
    const group = await startGroup(app.port, 2, { max_requests: 12 });
    const pids = async () =>
      (await group.admin<{ workers: { pid: number; state: string; active_exchanges: number }[] }>('/workers')).workers;
    for (let round = 0; round < 2; round++) {
      const requests = Array.from({ length: 12 }, () => askOn(open(group.port)));
      await expect.poll(() => app.waiting.size, { timeout: 10_000 }).toBe(12);
      const [busiest] = (await pids()).toSorted((one, other) => other.active_exchanges - one.active_exchanges);
      process.kill(busiest!.pid, 'SIGKILL');
      await expect.poll(() => app.waiting.size, { timeout: 10_000 }).toBe(12 - busiest!.active_exchanges);
      app.answerAll();
      await Promise.all(requests);
      await expect
        .poll(async () => (await pids()).every(({ state }) => state === 'LIVE'), { timeout: 20_000 })
        .toBe(true);
    }
    const session = open(group.port);
    const all = Array.from({ length: 12 }, () => askOn(session));
    await expect.poll(() => app.waiting.size, { timeout: 10_000 }).toBe(12);
    app.answerAll();
    expect(await Promise.all(all)).toEqual(Array.from({ length: 12 }, () => 200));
    expect(app.seen.most).toBe(12);
  });

  it.each([1, 3])(
    'hold for the sum of their connections (%i); who waits gets one that another worker has left',
    async (most) => {
      const app = await holdingApp();
      app.seen.holds = false;
      const group = await startGroup(app.port, 2, { max_connections: most });
      const statuses = await Promise.all(Array.from({ length: 100 }, () => ask(group.port)));
      expect(statuses.filter((status) => status !== 200)).toEqual([]);
      expect(app.seen.most).toBeLessThanOrEqual(most);
      const { clusters } = await group.admin<Shown>('/clusters?format=json');
      expect(clusters[0]!.circuit_breakers['max_connections']).toMatchObject({ most });
    },
  );
});
