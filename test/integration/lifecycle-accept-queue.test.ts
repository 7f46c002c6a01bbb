import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startApp } from '../support/app.ts';
import { runPortico } from '../support/process.ts';

/** Keeps the event loop busy for 2 ms a request, and for a second for /stall. */
const burns = `import { defineFilter } from 'portico';
export default defineFilter({ doc: 'Burns.', create: () => ({
  onRequest(request) {
    const until = performance.now() + (request.path === '/stall' ? 1000 : 2);
    while (performance.now() < until);
  },
}) });`;

function configuration(appPort: number, workers: number, listeners: readonly string[]): string {
  return `admin: { address: 127.0.0.1:0 }
workers: ${workers}
listeners: [${listeners.map((name) => `{ name: ${name}, address: 127.0.0.1:0 }`).join(', ')}]
reload: { watch: false }
drain: { pre_drain_delay: 0s, drain_time: 30s }
http_filters: [{ name: ./burns.ts }]
clusters: [{ name: app, endpoints: ['127.0.0.1:${appPort}'] }]
`;
}

/** A request on a connection of its own. `connected` resolves when the kernel has taken it, or has refused to. */
function ask(port: number, path: string): { connected: Promise<void>; answer: Promise<string> } {
  const socket = connect({ host: '127.0.0.1', port });
  socket.write(`GET ${path} HTTP/1.1\r\nHost: app.example\r\n\r\n`);
  const connected = new Promise<void>((resolve) => {
    socket.once('connect', resolve);
    socket.once('close', () => resolve());
  });
  const answer = new Promise<string>((resolve) => {
    let text = '';
    let failure = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.on('error', (error) => (failure = error.message));
    socket.on('close', () => {
      const [, status = 'no answer'] = /^HTTP\/1\.1 (\d+)/.exec(text) ?? [];
      resolve(failure || `${status}${/\r\nConnection: close\r\n/i.test(text) ? ' close' : ''}`);
    });
  });
  return { connected, answer };
}

describe('connections that the kernel has accepted, and Portico not yet, are all answered and told to go', () => {
  it.each<[string, number, 'SIGTERM' | 'reload']>([
    ['at SIGTERM', 1, 'SIGTERM'],
    ['at SIGTERM with two workers', 2, 'SIGTERM'],
    ['at a reload without their listener', 1, 'reload'],
  ])('%s', { timeout: 60_000 }, async (_name, workers, how) => {
    const app = await startApp();
    const folder = mkdtempSync(join(tmpdir(), 'portico-accept-queue-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, 'portico.yaml');
    writeFileSync(join(folder, 'burns.ts'), burns);
    writeFileSync(file, configuration(app.port, workers, ['going', 'staying']));
    const portico = runPortico(['run', '-c', file]);
    const port = Number(await portico.says(/"going 127\.0\.0\.1:(\d+)"/));
    const admin = await portico.says(/"admin":"(127\.0\.0\.1:\d+)"/);

    // Nobody accepts while these are being answered.
    for (let stall = 0; stall < workers; stall++) ask(port, '/stall');
    await new Promise((resolve) => setTimeout(resolve, 100));
    const waiting = Array.from({ length: 600 }, () => ask(port, '/'));
    await Promise.all(waiting.map(({ connected }) => connected));
    if (how === 'SIGTERM') portico.child.kill('SIGTERM');
    else {
      writeFileSync(file, configuration(app.port, workers, ['staying']));
      const { status } = await fetch(`http://${admin}/reload`, { method: 'POST' });
      expect(status).toBe(200);
    }
    const answers = await Promise.all(waiting.map(({ answer }) => answer));
    expect(answers.filter((answer) => !answer.startsWith('200'))).toEqual([]);
    // Some may have been answered before Portico heard of its end.
    expect(answers.filter((answer) => answer === '200 close').length).toBeGreaterThan(100);
    // Whoever comes before the socket is closed is one of them.
    await expect.poll(() => ask(port, '/').answer, { timeout: 20_000 }).toContain('ECONNREFUSED');
    if (how === 'SIGTERM') expect(await portico.exited).toBe(0);
  });
});
