import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { startApp } from '../support/app.ts';
import { Load } from '../support/load.ts';
import { runPortico, type PorticoProcess } from '../support/process.ts';
import { scriptedUpstream } from '../support/scripted-upstream.ts';

interface Running {
  readonly process: PorticoProcess;
  readonly port: number;
  readonly admin: string;
}

async function run(appPort: number, drain: string, adminPort = 0): Promise<Running> {
  const folder = mkdtempSync(join(tmpdir(), 'portico-drain-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'portico.yaml');
  writeFileSync(
    file,
    `admin: { address: '127.0.0.1:${adminPort}' }
listeners: [{ name: http, address: 127.0.0.1:0 }]
http_filters: []
drain: ${drain}
clusters: [{ name: app, endpoints: ['127.0.0.1:${appPort}'] }]
`,
  );
  const process = runPortico(['run', '-c', file]);
  const port = Number(await process.says(/"http 127\.0\.0\.1:(\d+)"/));
  return { process, port, admin: await process.says(/"admin":"(127\.0\.0\.1:\d+)"/) };
}

const ready = async (admin: string) => (await fetch(`http://${admin}/ready`)).status;
const post = async (admin: string, path: string) => (await fetch(`http://${admin}${path}`, { method: 'POST' })).status;

it(
  'RE38 SIGTERM under load: readiness fails first, nothing accepted is lost, all are told to go, exit 0 in time',
  { timeout: 60_000 },
  async () => {
    const app = await startApp((request, response) => {
      setTimeout(() => response.end('ok'), request.url === '/slow' ? 5000 : 5);
    });
    const { process, port, admin } = await run(app.port, '{ pre_drain_delay: 1s, drain_time: 10s }');
    const load = new Load({
      port,
      http1: 200,
      http2: 50,
      pause: 500,
      path: (count) => (count % 100 === 0 ? '/slow' : '/'),
    });
    await expect.poll(() => load.answered, { timeout: 20_000 }).toBeGreaterThan(1000);
    const states: number[] = [];
    const began = performance.now();
    process.child.kill('SIGTERM');
    await process.says(/draining/);
    states.push(await ready(admin));
    const during = load.answered;
    await expect.poll(() => load.answered - during, { timeout: 10_000 }).toBeGreaterThan(50);
    const outcome = await load.ended();
    expect(await process.exited).toBe(0);
    const took = performance.now() - began;
    expect(states).toEqual([503]);
    expect(outcome.failures).toEqual([]);
    expect(Object.keys(outcome.statuses)).toEqual(['200']);
    expect(outcome.refusedConnections).toBe(250);
    expect(outcome.toldToGo).toBeGreaterThan(200);
    expect(took).toBeLessThan(11_000);
    expect(process.output()).not.toMatch(/"level":"(?:warn|error)"/);
  },
);

it('RE38 GOAWAY comes in two steps: first nothing is refused, then the last stream is named', async () => {
  let finish: () => void = () => {};
  const app = await startApp((request, response) => {
    if (request.url === '/slow') finish = () => response.end('slow');
    else response.end('ok');
  });
  const { process, port } = await run(app.port, '{ pre_drain_delay: 0s, drain_time: 10s }');
  const client = connectHttp2(`http://127.0.0.1:${port}`);
  const goaways: [number, number][] = [];
  client.on('goaway', (code: number, last: number) => goaways.push([code, last]));
  client.on('error', () => {});
  const bodies: string[] = [];
  const ask = (path: string) =>
    new Promise<void>((resolve) => {
      const stream = client.request({ ':path': path });
      stream.on('data', (chunk: Buffer) => bodies.push(chunk.toString()));
      stream.on('close', () => resolve());
      stream.on('error', (error) => bodies.push(error.message));
    });
  const slow = ask('/slow');
  await expect.poll(() => app.requests).toContain('GET /slow');
  process.child.kill('SIGTERM');
  await expect.poll(() => goaways.length, { timeout: 5000 }).toBeGreaterThan(1);
  expect(goaways[0]).toEqual([0, 2 ** 31 - 1]);
  expect(goaways[1]).toEqual([0, 1]);
  finish();
  await slow;
  expect(bodies).toEqual(['slow']);
  expect(await process.exited).toBe(0);
});

it('RE38 a WebSocket is closed with 1001 at the deadline, between two frames, and the exit code is 0', async () => {
  const app = await startApp();
  const server = new WebSocketServer({ server: app.server });
  onTestFinished(() => server.close());
  const atApp: number[] = [];
  let timer: NodeJS.Timeout | undefined;
  onTestFinished(() => clearInterval(timer));
  server.on('connection', (socket) => {
    socket.on('close', (code) => atApp.push(code));
    // Frames all the time, so that the goodbye has to find a gap.
    timer ??= setInterval(() => {
      for (const client of server.clients) client.send(Buffer.alloc(70_000, 'x'));
    }, 5);
  });
  const { process, port } = await run(app.port, '{ pre_drain_delay: 0s, drain_time: 2s }');
  const clients = await Promise.all(
    [1, 2, 3].map(async () => {
      const client = new WebSocket(`ws://127.0.0.1:${port}/`);
      await new Promise((resolve) => client.once('open', resolve));
      return client;
    }),
  );
  let messages = 0;
  clients[0]!.on('message', () => messages++);
  const closed = Promise.all(
    clients.map((client) => new Promise<number>((resolve) => client.on('close', (code) => resolve(code)))),
  );
  const began = performance.now();
  process.child.kill('SIGTERM');
  await process.says(/draining/);
  const then = messages;
  await expect.poll(() => messages, { timeout: 10_000 }).toBeGreaterThan(then + 10);
  expect(await closed).toEqual([1001, 1001, 1001]);
  const took = performance.now() - began;
  expect(took).toBeGreaterThan(1000);
  expect(await process.exited).toBe(0);
  expect(performance.now() - began).toBeLessThan(3500);
  expect(atApp).toEqual([1001, 1001, 1001]);
});

it('RE39 what exceeds drain_time is cut, which the log and the exit code say', async () => {
  const app = await startApp(() => {});
  const { process, port } = await run(app.port, '{ pre_drain_delay: 0s, drain_time: 500ms }');
  const stuck = fetch(`http://127.0.0.1:${port}/`).then(
    () => 'answered',
    () => 'cut',
  );
  await expect.poll(() => app.requests.length).toBe(1);
  const began = performance.now();
  process.child.kill('SIGTERM');
  expect(await process.exited).toBe(1);
  expect(performance.now() - began).toBeLessThan(2000);
  expect(await stuck).toBe('cut');
  expect(process.output()).toContain('cut connections that did not finish in time');
});

it('RE39 a second signal of either kind ends it at once', async () => {
  const app = await startApp(() => {});
  for (const [first, second] of [
    ['SIGTERM', 'SIGINT'],
    ['SIGINT', 'SIGTERM'],
  ] as const) {
    const { process, port } = await run(app.port, '{ pre_drain_delay: 30s, drain_time: 30s }');
    void fetch(`http://127.0.0.1:${port}/`).catch(() => {});
    process.child.kill(first);
    await process.says(/draining/);
    const began = performance.now();
    process.child.kill(second);
    expect(await process.exited).toBe(1);
    expect(performance.now() - began).toBeLessThan(1000);
  }
});

it('POST /drain fails readiness and tells connections to go, and goes on serving until SIGTERM', async () => {
  const app = await startApp((_request, response) => response.end('ok'));
  const { process, port, admin } = await run(app.port, '{ pre_drain_delay: 0s, drain_time: 2s }');
  expect(await ready(admin)).toBe(200);
  expect(await post(admin, '/drain')).toBe(200);
  expect(await ready(admin)).toBe(503);
  expect(await post(admin, '/reload')).toBe(422);
  for (let at = 0; at < 3; at++) {
    const response = await fetch(`http://127.0.0.1:${port}/`);
    expect([response.status, response.headers.get('connection')]).toEqual([200, 'close']);
  }
  process.child.kill('SIGTERM');
  expect(await process.exited).toBe(0);
});

it('POST /quit finishes what runs and exits 0, as a job wants it', async () => {
  let finish: () => void = () => {};
  const app = await startApp((_request, response) => (finish = () => response.end('late')));
  const { process, port, admin } = await run(app.port, '{ pre_drain_delay: 0s, drain_time: 5s }');
  const late = fetch(`http://127.0.0.1:${port}/`).then((response) => response.text());
  await expect.poll(() => app.requests.length).toBe(1);
  expect(await post(admin, '/quit')).toBe(200);
  await process.says(/draining/);
  finish();
  expect(await late).toBe('late');
  expect(await process.exited).toBe(0);
});

it('portico wait ends with 0 as soon as a portico that starts later is ready, else with 1', async () => {
  const app = await startApp();
  const port = await new Promise<number>((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port: free } = server.address() as { port: number };
      server.close(() => resolve(free));
    });
  });
  const waiting = runPortico(['wait', '--admin', `127.0.0.1:${port}`]);
  const impatient = runPortico(['wait', '--admin', `127.0.0.1:${port}`, '--timeout', '300ms']);
  expect(await impatient.exited).toBe(1);
  expect(impatient.output()).toMatch(/not ready after 300ms: connect ECONNREFUSED/);
  await run(app.port, '{}', port);
  expect(await waiting.exited).toBe(0);

  const notReady = await scriptedUpstream(async (connection) => {
    await connection.head();
    await connection.write('HTTP/1.1 503 No\r\nContent-Length: 9\r\nConnection: close\r\n\r\nDRAINING\n');
  });
  onTestFinished(() => notReady.close());
  const refused = runPortico(['wait', '--admin', `127.0.0.1:${notReady.port}`, '--timeout', '1s']);
  expect(await refused.exited).toBe(1);
  expect(refused.output()).toContain('it says DRAINING');
  expect(await runPortico(['wait', '--admin', 'nonsense']).exited).toBe(2);
});
