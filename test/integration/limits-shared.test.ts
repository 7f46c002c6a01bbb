import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startApp } from '../support/app.ts';
import { runPortico } from '../support/process.ts';
import { noRedis, startRedis } from '../support/redis-server.ts';

const missing = noRedis();
if (missing !== undefined) console.warn(`SKIPPED: test/integration/limits-shared.test.ts: ${missing}`);

/** Tells in every answer which worker made it. */
const whoServes = `import { defineFilter } from 'portico';
export default defineFilter({ doc: 'Tells who serves.', create: () => ({
  onResponse(response) { response.headers.set('x-pid', String(process.pid)); },
}) });`;

/** A Portico in a process of its own; answers its port. Without Redis it limits in memory. */
async function pod(app: number, redis: string | undefined, workers = 1): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'portico-pod-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const limit = {
    key: 'header:x-client',
    max_tokens: burst,
    tokens_per_fill: perSecond,
    fill_interval: '1s',
    // What is tested is the sum; a busy machine shall not let a request pass undecided.
    ...(redis === undefined ? {} : { redis: { url: redis, timeout: '3s' }, on_store_failure: 'deny' }),
  };
  writeFileSync(join(folder, 'who-serves.ts'), whoServes);
  writeFileSync(
    join(folder, 'portico.yaml'),
    `admin: { address: 127.0.0.1:0 }
workers: ${workers}
listeners: [{ name: http, address: 127.0.0.1:0 }]
http_filters:
  - { name: ./who-serves.ts }
  - { name: rate-limit, config: ${JSON.stringify(limit)} }
clusters: [{ name: app, endpoints: ['127.0.0.1:${app}'] }]
`,
  );
  const portico = runPortico(['run', '-c', join(folder, 'portico.yaml')]);
  return Number(await portico.says(/"http 127\.0\.0\.1:(\d+)"/));
}

const burst = 50;
const perSecond = 100;
const seconds = 5;

function ask(port: number, agent: Agent): Promise<{ status: number; pid: string }> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, agent, headers: { 'x-client': 'one' } }, (response) => {
      response.resume();
      response.on('end', () => resolve({ status: response.statusCode!, pid: String(response.headers['x-pid']) }));
    }).on('error', reject);
  });
}

/** Asks all ports over four connections each, about four times as often as the limit allows; answers what came of it. */
async function storm(
  ports: readonly number[],
): Promise<{ statuses: Record<number, number>[]; passedBy: Map<string, number>; took: number }> {
  const start = performance.now();
  const passedBy = new Map<string, number>();
  const statuses = await Promise.all(
    ports.map(async (port) => {
      const found: Record<number, number> = {};
      const agent = new Agent({ keepAlive: true, maxSockets: 4 });
      await Promise.all(
        Array.from({ length: 4 }, async () => {
          while (performance.now() - start < seconds * 1000) {
            const { status, pid } = await ask(port, agent);
            if (status === 200) passedBy.set(pid, (passedBy.get(pid) ?? 0) + 1);
            found[status] = (found[status] ?? 0) + 1;
            await new Promise((resolve) => setTimeout(resolve, 12 + Math.random() * 8));
          }
        }),
      );
      agent.destroy();
      return found;
    }),
  );
  return { statuses, passedBy, took: (performance.now() - start) / 1000 };
}

describe.skipIf(missing !== undefined)('a limit that several Porticos share', () => {
  it.each([
    ['two pods', [1, 1]],
    ['two workers', [2]],
  ])('is held by %s together within 5 %', { timeout: 40_000 }, async (_who, workers) => {
    const app = await startApp();
    const redis = await startRedis();
    onTestFinished(() => redis.close());
    const ports = await Promise.all(workers.map((count) => pod(app.port, redis.url, count)));
    const { statuses, took } = await storm(ports.length === 1 ? [ports[0]!, ports[0]!] : ports);
    const sum = (status: number) => statuses.reduce((total, found) => total + (found[status] ?? 0), 0);
    const allowed = burst + perSecond * took;
    expect(statuses.flatMap((found) => Object.keys(found)).toSorted()).toEqual(['200', '200', '429', '429']);
    expect(sum(429)).toBeGreaterThan(allowed / 2);
    expect(sum(200)).toBeGreaterThan(allowed * 0.95);
    expect(sum(200)).toBeLessThan(allowed * 1.05);
    expect(app.requests.length).toBe(sum(200));
    // Neither has been starved by the other.
    for (const found of statuses) expect(found[200]).toBeGreaterThan(allowed / 5);
    console.info(`${sum(200)} passed where ${allowed.toFixed(0)} were allowed, ${sum(429)} were refused`);
  });
});

describe('a limit in memory', () => {
  it('is held by two workers together within 5 %', { timeout: 60_000 }, async () => {
    const app = await startApp();
    const port = await pod(app.port, undefined, 2);
    for (let attempt = 1; ; attempt++) {
      const before = app.requests.length;
      const { statuses, passedBy, took } = await storm([port, port, port]);
      const sum = (status: number) => statuses.reduce((total, found) => total + (found[status] ?? 0), 0);
      const allowed = burst + perSecond * took;
      // The kernel may give all connections to one worker, and then nothing is shared.
      if (passedBy.size < 2 && attempt < 4) {
        await new Promise((resolve) => setTimeout(resolve, (burst / perSecond) * 1000 + 500));
        continue;
      }
      expect(passedBy.size).toBe(2);
      expect(sum(429)).toBeGreaterThan(allowed / 2);
      expect(sum(200)).toBeGreaterThan(allowed * 0.95);
      expect(sum(200)).toBeLessThan(allowed * 1.05);
      expect(app.requests.length - before).toBe(sum(200));
      console.info(`${[...passedBy.values()].join(' + ')} passed where ${allowed.toFixed(0)} were allowed`);
      return;
    }
  });
});
