import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { metricsApp, sends, startMetrics } from '../support/metrics-role.ts';

/** A receiver of OTLP over HTTP that keeps what it got. */
async function receiver() {
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      bodies.push((request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString());
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { bodies, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/metrics` };
}

describe('beside the scraped app', () => {
  it('health checks stand in the page, and a required one decides whether the sidecar is ready', async () => {
    let healthy = true;
    const app = await metricsApp((request, response) => {
      if (request.url === '/healthz') response.writeHead(healthy ? 200 : 503).end();
      else sends('a 1\n')(request, response);
    });
    const { get, port } = await startMetrics(
      `targets: [{ name: app, url: '${app.url}' }]\nlabels: { pod: web-1 }\nhealth: { checks: [{ name: web, http: { address: 127.0.0.1:${app.port}, path: /healthz }, interval: 50ms, unhealthy_threshold: 1, required: true }] }`,
    );
    const ready = async () => (await fetch(`http://127.0.0.1:${port}/ready`)).status;
    await vi.waitFor(async () => expect(await ready()).toBe(200), 10_000);
    expect((await get()).body).toContain('portico_app_health_status{check="web",pod="web-1"} 1\n');
    healthy = false;
    await vi.waitFor(async () => expect(await ready()).toBe(503), 10_000);
    expect((await get()).body).toContain('portico_app_health_status{check="web",pod="web-1"} 0\n');
  });

  it('what is made of JSON stands in the page', async () => {
    const app = await metricsApp((request, response) => {
      if (request.url === '/stats')
        sends('{"queue":{"length":7}}', { 'content-type': 'application/json' })(request, response);
      else sends('a 1\n')(request, response);
    });
    const { get } = await startMetrics(
      `targets: [{ name: app, url: '${app.url}' }]\nderived: { endpoints: [{ name: stats, url: 'http://127.0.0.1:${app.port}/stats', interval: 50ms, metrics: [{ name: queue_length, type: gauge, help: Waiting., path: queue.length }] }] }`,
    );
    await vi.waitFor(async () => expect((await get()).body).toContain('\nqueue_length 7\n'), 10_000);
  });

  it('all that the page has is pushed, labels and the failure of the app as well', async () => {
    const { bodies, url } = await receiver();
    const app = await metricsApp('# TYPE a gauge\na{b="c"} 42\n');
    const { server } = await startMetrics(
      `targets: [{ name: app, url: '${app.url}' }]\nlabels: { pod: web-1 }\npush: { interval: 100ms, outputs: [{ name: otel, protocol: otlp_http, encoding: json, url: '${url}' }] }`,
    );
    await vi.waitFor(() => expect(bodies.length).toBeGreaterThan(1), 10_000);
    const all = bodies.join();
    expect(all).toContain('"name":"a"');
    expect(all).toContain('42');
    expect(all).toContain('web-1');
    expect(all).toContain('"name":"up"');
    const count = bodies.length;
    expect(await server.drain()).toBe(0);
    expect(bodies.length).toBeGreaterThan(count);
  });

  it('what waits in memory to be pushed when the sidecar ends is lost, and the exit code says so', async () => {
    const app = await metricsApp('a 1\n');
    const { server } = await startMetrics(
      `targets: [{ name: app, url: '${app.url}' }]\npush: { interval: 100ms, outputs: [{ name: gone, protocol: remote_write, url: 'http://127.0.0.1:1/', close_timeout: 50ms }] }`,
    );
    expect(await server.drain()).toBe(1);
  });

  it('what a reload says about pushing holds at once: another receiver, another interval, none, one again', async () => {
    const [one, other] = [await receiver(), await receiver()];
    const app = await metricsApp('a 1\n');
    const yaml = (push: string) => `targets: [{ name: app, url: '${app.url}' }]\n${push}`;
    const to = (url: string, interval: string) =>
      yaml(
        `push: { interval: ${interval}, outputs: [{ name: otel, protocol: otlp_http, encoding: json, url: '${url}' }] }`,
      );
    const { rewrite, value } = await startMetrics(yaml(''));
    const reloads = (count: string) =>
      vi.waitFor(async () => expect(await value('portico_config_reloads_total')).toBe(count), 10_000);
    rewrite(to(one.url, '1h'));
    await vi.waitFor(() => expect(one.bodies).toHaveLength(1), 10_000);
    rewrite(to(other.url, '100ms'));
    await vi.waitFor(() => expect(other.bodies.length).toBeGreaterThan(3), 10_000);
    expect(one.bodies).toHaveLength(1);
    rewrite(yaml(''));
    await reloads('3');
    await vi.waitFor(async () => expect(await value('portico_metrics_push_waiting_batches')).toBeUndefined(), 10_000);
    expect(other.bodies.at(-1)).toContain('"flags":1');
    rewrite(to(one.url, '100ms'));
    await vi.waitFor(() => expect(one.bodies.length).toBeGreaterThan(3), 10_000);
  });
});
