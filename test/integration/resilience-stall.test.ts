import http2 from 'node:http2';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startApp } from '../support/app.ts';
import { frontConfig } from '../support/front-config.ts';
import { probe, ProbingClient, tally } from '../support/probing-client.ts';
import { runPortico } from '../support/process.ts';

/** Stands still for two seconds when it is asked for `/stall`, as a synchronous regular expression or parse would. */
const stalling = `import { defineFilter, localReply } from 'portico';
export default defineFilter({ doc: 'Stands still.', create: () => ({
  onRequest(request) {
    if (request.path !== '/stall') return;
    console.error('stalling');
    const until = performance.now() + 2000;
    while (performance.now() < until);
    return localReply(200, 'over', { details: 'stalled' });
  },
}) });`;

it(
  'RE50 an event loop that stands still for 2 s takes no answer for late that was there in time, and no endpoint for dead',
  { timeout: 60_000 },
  async () => {
    const waiting: ServerResponse[] = [];
    const checks: ServerResponse[] = [];
    let holdChecks = false;
    let begun = 0;
    const app = await startApp((request, answer) => {
      if (request.url === '/slow') waiting.push(answer);
      else if (request.url === '/healthz' && holdChecks) checks.push(answer);
      else if (request.method === 'POST') {
        request.once('data', () => begun++);
        request.resume().on('end', () => answer.end('all of it'));
      } else answer.end('ok');
    });
    const folder = mkdtempSync(join(tmpdir(), 'portico-stall-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    writeFileSync(join(folder, 'stalling.ts'), stalling);
    writeFileSync(
      join(folder, 'portico.yaml'),
      frontConfig([`127.0.0.1:${app.port}`], {
        http_filters: [{ name: './stalling.ts' }],
        // All of these would be up in the stall.
        route: { timeout: '1500ms', idle_timeout: '1500ms', retry_policy: { num_retries: 0 } },
        cluster: {
          connect_timeout: '1s',
          health_check: { http: { path: '/healthz' }, interval: '100ms', timeout: '1500ms', unhealthy_threshold: 1 },
          healthy_panic_threshold: 0,
        },
      }).replace(
        '"address":"127.0.0.1:0"}]',
        '"address":"127.0.0.1:0","stream_idle_timeout":"1500ms","request_headers_timeout":"1500ms"}]',
      ),
    );
    const portico = runPortico(['run', '-c', join(folder, 'portico.yaml')]);
    const port = Number(await portico.says(/"http 127\.0\.0\.1:(\d+)"/));
    const admin = await portico.says(/"admin":"(127\.0\.0\.1:\d+)"/);
    expect((await probe(port)).status).toBe(200);

    // A head and two uploads that are half there.
    const [heads, uploads] = [new ProbingClient(port), new ProbingClient(port)];
    const session = http2.connect(`http://127.0.0.1:${port}`);
    onTestFinished(() => {
      heads.close();
      uploads.close();
      session.destroy();
    });
    const head = heads.send({ raw: 'GET / HTTP/1.1\r\nHost: app.ex' });
    const upload = uploads.send({
      method: 'POST',
      raw: 'POST / HTTP/1.1\r\nHost: app.example\r\nContent-Length: 8\r\n\r\nhalf',
    });
    const stream = session.request({ ':method': 'POST', ':path': '/' });
    stream.write('half');
    const streamed = new Promise<number>((resolve) => {
      stream.once('response', (headers) => resolve(Number(headers[':status'])));
      stream.once('close', () => resolve(0));
      stream.on('error', () => {}).resume();
    });
    await expect.poll(() => begun, { timeout: 10_000, interval: 5 }).toBe(2);
    const slow = Array.from({ length: 20 }, () => probe(port, { path: '/slow' }));
    await expect.poll(() => waiting.length, { timeout: 10_000 }).toBe(20);
    holdChecks = true;
    await expect.poll(() => checks.length, { timeout: 10_000, interval: 5 }).toBe(1);
    holdChecks = false;
    const stall = probe(port, { path: '/stall' });
    await portico.says(/stalling/);
    // While it stands still: the answers, new requests, and a look at its health.
    for (const answer of [...waiting, ...checks]) answer.end('in time');
    heads.socket!.write('ample\r\n\r\n');
    uploads.socket!.write('rest');
    stream.end('rest');
    const fresh = Array.from({ length: 20 }, () => probe(port));
    const asked = performance.now();
    const ready = fetch(`http://${admin}/ready`).then(({ status }) => ({ status, after: performance.now() - asked }));

    expect(tally([await stall])).toEqual({ 200: 1 });
    expect(tally(await Promise.all(slow))).toEqual({ 200: 20 });
    expect(tally(await Promise.all(fresh))).toEqual({ 200: 20 });
    expect(tally(await Promise.all([head, upload]))).toEqual({ 200: 2 });
    expect(await streamed).toBe(200);
    // Whoever asks for its health meanwhile waits as long as clients do.
    const { status, after } = await ready;
    expect(status).toBe(200);
    expect(after).toBeGreaterThan(1000);
    const metrics = await (await fetch(`http://${admin}/metrics`)).text();
    expect(metrics).toContain('portico_cluster_endpoints_healthy{cluster="app"} 1\n');
    expect(metrics).not.toMatch(/portico_cluster_health_checks_total\{cluster="app",result="failure"\} [1-9]/);
    expect(portico.output()).not.toContain('is unhealthy');
  },
);
