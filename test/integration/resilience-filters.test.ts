import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { eventually, startUpstream } from '../support/cluster-harness.ts';
import { frontConfig } from '../support/front-config.ts';
import { probe, ProbingClient } from '../support/probing-client.ts';
import { runPortico } from '../support/process.ts';
import type { Script } from '../support/scripted-upstream.ts';

/** Does what its path says, and all that a filter should not do. */
const faulty = `import { defineFilter } from 'portico';
const bug = () => { throw new Error('bug'); };
const later = (run) => setTimeout(run, 20);
export default defineFilter({ doc: 'Fails.', create: () => ({
  onRequest({ path, headers }) {
    if (path === '/sync') bug();
    if (path === '/async') return Promise.reject(new Error('bug'));
    if (path === '/never') return new Promise(() => {});
    if (path === '/stray') later(bug);
    if (path === '/stray-promise') void Promise.reject(new Error('bug'));
    if (path === '/nonsense') return 'nonsense';
    if (path === '/after') later(() => { headers.set('x-late', '1'); headers.filter(() => false); });
  },
  requestBody(chunks, { request }) {
    if (request.path !== '/upload') return;
    return (async function* () { for await (const chunk of chunks) { yield chunk; bug(); } })();
  },
  onResponse(response, { request: { path } }) {
    if (path === '/response') bug();
    if (path === '/response-nonsense') return null;
    if (path === '/response-async') return Promise.reject(new Error('bug'));
    if (path === '/after') setTimeout(() => { response.headers.set('x-late', '1'); response.status = 599; response.body.cancel(new Error('late')); }, 50);
  },
  responseBody(chunks, { request: { path } }) {
    if (path === '/stream') return (async function* () { for await (const chunk of chunks) { yield chunk; bug(); } })();
    if (path === '/stream-at-once') bug();
  },
  onLog({ request }) { if (request?.path === '/log') bug(); },
}) });`;

/** Answers in two pieces whatever is asked; reads uploads as far as they come. */
const app: Script = async (connection) => {
  for (;;) {
    const head = await connection.head();
    if (/^transfer-encoding: chunked/im.test(head)) await connection.until('0\r\n\r\n');
    await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello');
    await connection.wait(20);
    await connection.write('world');
  }
};

it(
  'RE48 what a filter does wrong costs the one request, is counted once, and never the process',
  { timeout: 60_000 },
  async () => {
    const upstream = await startUpstream(app);
    const folder = mkdtempSync(join(tmpdir(), 'portico-faulty-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    writeFileSync(join(folder, 'faulty.ts'), faulty);
    writeFileSync(
      join(folder, 'portico.yaml'),
      frontConfig([upstream.address], { http_filters: [{ name: './faulty.ts' }] }).replace(
        '"address":"127.0.0.1:0"}]',
        '"address":"127.0.0.1:0","stream_idle_timeout":"500ms"}]',
      ),
    );
    const portico = runPortico(['run', '-c', join(folder, 'portico.yaml')]);
    const port = Number(await portico.says(/"http 127\.0\.0\.1:(\d+)"/));
    const admin = await portico.says(/"admin":"(127\.0\.0\.1:\d+)"/);
    const metric = async (line: string): Promise<number> => {
      const page = await (await fetch(`http://${admin}/metrics`)).text();
      const found = page.split('\n').find((candidate) => candidate.startsWith(`${line} `));
      return found === undefined ? 0 : Number(found.slice(line.length + 1));
    };
    const failures = (hook: string) => metric(`portico_filter_failures_total{filter="faulty",hook="${hook}"}`);
    const strays = () => metric('portico_uncaught_errors_total');
    const well = async () => {
      const { outcome, status, body } = await probe(port);
      expect([outcome, status, body]).toEqual(['whole', 200, 'helloworld']);
    };
    await well();

    for (const [path, hook] of [
      ['/sync', 'onRequest'],
      ['/async', 'onRequest'],
      ['/nonsense', 'onRequest'],
      ['/response-nonsense', 'onResponse'],
      ['/response', 'onResponse'],
      ['/response-async', 'onResponse'],
      ['/stream-at-once', 'responseBody'],
    ] as const) {
      const before = await failures(hook);
      const { outcome, status, body } = await probe(port, { path });
      expect([path, outcome, status, body]).toEqual([path, 'whole', 500, 'internal error\n']);
      expect(await failures(hook), path).toBe(before + 1);
      await well();
    }

    // The head was out already: all that is left is that nobody takes it for whole.
    const broken = await probe(port, { path: '/stream' });
    expect([broken.outcome, broken.status, broken.body]).toEqual(['broken', 200, 'hello']);
    await well();

    const before = upstream.connections.length;
    const upload = await probe(port, { method: 'POST', path: '/upload', body: 'x'.repeat(100) });
    expect(upload.status === 0 || upload.status >= 400).toBe(true);
    for (const { text } of upstream.connections.slice(before - 1)) expect(text).not.toContain('0\r\n\r\n');
    await well();

    const never = await probe(port, { path: '/never' });
    expect([never.outcome, never.status, never.body]).toEqual(['whole', 504, 'stream_idle_timeout\n']);
    expect(never.milliseconds).toBeGreaterThan(450);
    await well();

    for (const path of ['/stray', '/stray-promise']) {
      const known = await strays();
      expect((await probe(port, { path })).status).toBe(200);
      await eventually(async () => (await strays()) === known + 1, `${path} is counted`);
      await well();
    }

    // What it does when all is over changes nothing, for this request and for the next one of the connection.
    const client = new ProbingClient(port);
    onTestFinished(() => client.close());
    for (let n = 0; n < 3; n++) {
      const { status, body, headers } = await client.send({ path: '/after' });
      expect([status, body, headers['x-late']]).toEqual([200, 'helloworld', undefined]);
      await new Promise((resolve) => setTimeout(resolve, 80));
    }
    expect(client.connections).toBe(1);

    expect((await probe(port, { path: '/log' })).status).toBe(200);
    await eventually(async () => (await failures('onLog')) === 1, 'it is counted');
    await well();

    expect(await metric('portico_http_active_exchanges{listener="http"}')).toBe(0);
    expect(await metric('portico_cluster_upstream_requests_active{cluster="app"}')).toBe(0);
    expect(portico.output().match(/filter faulty failed in onRequest/g)?.length).toBeGreaterThanOrEqual(2);
    expect(portico.child.exitCode).toBeNull();
  },
);
