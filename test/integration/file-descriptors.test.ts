import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get, type ServerResponse } from 'node:http';
import http2 from 'node:http2';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startApp } from '../support/app.ts';
import { runPortico, type PorticoProcess } from '../support/process.ts';

const havePrlimit = (() => {
  try {
    execFileSync('prlimit', ['--version']);
    return true;
  } catch {
    return false;
  }
})();

function ask(port: number, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = get({ port, host: '127.0.0.1', path, agent: false, timeout: 3000 }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode!));
    });
    request.on('timeout', () => request.destroy(new Error('timeout')));
    request.on('error', reject);
  });
}

/** Seconds of CPU that a process has used. */
function cpu(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** A Portico in a process of its own that may open 128 files. */
async function start(app: number, clusters = 1): Promise<{ portico: PorticoProcess; port: number; admin: number }> {
  const names = Array.from({ length: clusters }, (_, at) => `app${at}`);
  const folder = mkdtempSync(join(tmpdir(), 'portico-fd-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const config = join(folder, 'portico.yaml');
  writeFileSync(
    config,
    `
admin: { address: 127.0.0.1:0 }
log: { format: json }
listeners: [{ name: http, address: 127.0.0.1:0, request_headers_timeout: 30s }]
http_filters: []
virtual_hosts: [{ name: app, domains: ['*'], routes: [${names
      .map((name, at) => `{ match: { prefix: /${at === 0 ? '' : at} }, route: { cluster: ${name}, timeout: 30s } }`)
      .reverse()
      .join(', ')}] }]
clusters: [${names.map((name) => `{ name: ${name}, endpoints: ['127.0.0.1:${app}'] }`).join(', ')}]`,
  );
  const portico = runPortico(['run', '-c', config], { wrapper: ['prlimit', '--nofile=128:128'] });
  return {
    portico,
    port: Number(await portico.says(/"http 127\.0\.0\.1:(\d+)"/)),
    admin: Number(await portico.says(/"admin":"127\.0\.0\.1:(\d+)"/)),
  };
}

/** An app that leaves all requests waiting until it is let free. */
async function startStuckApp() {
  const waiting: ServerResponse[] = [];
  let freed = false;
  const app = await startApp((_request, response) => {
    if (freed) response.end('ok');
    else waiting.push(response);
  });
  function free(): void {
    freed = true;
    for (const response of waiting) response.end('late');
  }
  return { port: app.port, waiting, free };
}

/** Asks for paths on two connections, all at once. */
function askTogether(port: number, paths: readonly string[]) {
  const sessions = [1, 2].map(() => http2.connect(`http://127.0.0.1:${port}`));
  onTestFinished(() => sessions.forEach((session) => session.destroy()));
  const answers: { status: number; body: string }[] = [];
  const all = paths.map(async (path, at) => {
    const answer = { status: 0, body: '' };
    const stream = sessions[at % 2]!.request({ ':path': path });
    stream.on('response', (headers) => (answer.status = Number(headers[':status'])));
    stream.on('data', (chunk: Buffer) => (answer.body += chunk.toString()));
    stream.on('error', () => {});
    await new Promise<void>((resolve) => stream.once('close', () => resolve()));
    answers.push(answer);
  });
  return { answers, all: Promise.all(all) };
}

describe.skipIf(!havePrlimit)('a process that may open few files', () => {
  it(
    'survives more clients than that, idles meanwhile, answers the operators, and recovers',
    { timeout: 40_000 },
    async () => {
      const app = await startApp();
      const { portico, port, admin } = await start(app.port);
      const pid = portico.child.pid!;
      const sockets: Socket[] = [];
      onTestFinished(() => {
        for (const socket of sockets) socket.destroy();
      });
      for (let count = 0; count < 500; count++) {
        const socket = connect(port, '127.0.0.1');
        sockets.push(socket);
        socket.on('error', () => {}).resume();
        socket.write('GET / HTTP/1.1\r\nHost: t\r\nX-Slow: ');
      }
      await expect.poll(() => sockets.filter(({ closed }) => closed).length, { timeout: 10_000 }).toBeGreaterThan(400);

      const before = cpu(pid);
      const began = performance.now();
      while (performance.now() - began < 2000) {
        expect(await ask(admin, '/ready')).toBe(200);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      expect((cpu(pid) - before) / ((performance.now() - began) / 1000)).toBeLessThan(0.5);
      expect(sockets.filter(({ closed }) => !closed).length).toBeGreaterThan(10);

      for (const socket of sockets) socket.destroy();
      await expect.poll(() => ask(port, '/').catch(() => 0), { timeout: 5000 }).toBe(200);
      expect(portico.child.exitCode).toBeNull();
    },
  );

  it(
    'RE43 opens no more connections to the app than leave some for operators and clients: requests wait for one',
    { timeout: 40_000 },
    async () => {
      const app = await startStuckApp();
      const { portico, port, admin } = await start(app.port);
      expect(portico.output()).toContain('max_connections is 32, not 1024');
      // As many connections to the app as there are streams, if it were for these.
      const { answers, all } = askTogether(
        port,
        Array.from({ length: 180 }, () => '/slow'),
      );
      await expect.poll(() => app.waiting.length, { timeout: 10_000 }).toBe(32);
      // Others are served meanwhile, as far as they need no connection to the app.
      for (let count = 0; count < 5; count++) expect(await ask(admin, '/ready')).toBe(200);
      app.free();
      await all;
      expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 180 }, () => 200));
      expect(await ask(port, '/')).toBe(200);
      expect(portico.child.exitCode).toBeNull();
    },
  );

  it(
    'answers 503 at once when several clusters have used up all of them, and 200 when there are some again',
    { timeout: 40_000 },
    async () => {
      const app = await startStuckApp();
      const { portico, port } = await start(app.port, 4);
      // To each cluster a few less than it may have.
      const paths = Array.from({ length: 4 * 30 }, (_, at) => (at % 4 === 0 ? '/' : `/${at % 4}`));
      const { answers, all } = askTogether(port, paths);
      await expect.poll(() => app.waiting.length + answers.length, { timeout: 10_000 }).toBe(paths.length);
      expect(answers.length).toBeGreaterThan(0);
      for (const { status, body } of answers)
        expect([status, body]).toEqual([503, 'upstream_connect_failure{too_many_open_files}\n']);
      app.free();
      await all;
      expect(answers.filter(({ status }) => status === 200).length).toBe(app.waiting.length);
      // Unused connections to the app keep their descriptors until `idle_timeout`.
      await expect.poll(() => ask(port, '/').catch(() => 0), { timeout: 15_000 }).toBe(200);
      expect(portico.child.exitCode).toBeNull();
    },
  );
});
