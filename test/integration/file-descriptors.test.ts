import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startApp } from '../support/app.ts';
import { runPortico } from '../support/process.ts';

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

describe.skipIf(!havePrlimit)('a process that may open few files', () => {
  it(
    'survives more clients than that, idles meanwhile, answers the operators, and recovers',
    { timeout: 40_000 },
    async () => {
      const app = await startApp();
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
clusters: [{ name: app, endpoints: ['127.0.0.1:${app.port}'] }]`,
      );
      const portico = runPortico(['run', '-c', config], { wrapper: ['prlimit', '--nofile=128:128'] });
      const port = Number(await portico.says(/"http 127\.0\.0\.1:(\d+)"/));
      const admin = Number(await portico.says(/"admin":"127\.0\.0\.1:(\d+)"/));
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
});
