import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { nativeHistogram } from '../support/native-histogram.ts';
import { metricsApp, openMetrics, sends, startMetrics } from '../support/metrics-role.ts';

const installed = spawnSync('prometheus', ['--version']).status === 0;
if (!installed) console.warn('Scraping by Prometheus is not tested: it is not installed');

interface Sample {
  readonly metric: Record<string, string>;
  readonly value: [number, string];
}

/** A Prometheus that scrapes one page every second; answers what it knows. */
async function startPrometheus(target: string, { honorLabels = false, native = false } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'portico-prometheus-'));
  const port = await freePort();
  writeFileSync(
    join(folder, 'prometheus.yml'),
    `scrape_configs:\n  - { job_name: pod, scrape_interval: 1s, scrape_timeout: 1s, honor_labels: ${honorLabels}, static_configs: [{ targets: ['${target}'] }] }\n`,
  );
  const child = spawn(
    'prometheus',
    [
      `--config.file=${folder}/prometheus.yml`,
      `--storage.tsdb.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
      `--enable-feature=exemplar-storage${native ? ',native-histograms' : ''}`,
      '--log.level=error',
    ],
    { stdio: 'ignore' },
  );
  onTestFinished(async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill();
    await ended;
    rmSync(folder, { recursive: true });
  });
  const ask = async <T>(path: string): Promise<T> => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`);
    return ((await response.json()) as { data: T }).data;
  };
  return {
    ask,
    query: async (text: string) => (await ask<{ result: Sample[] }>(`query?query=${encodeURIComponent(text)}`)).result,
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const page =
  '# TYPE requests counter\n# HELP requests Requests.\nrequests_total{pod="app"} 42 # {trace_id="abc"} 1 1.5\n' +
  '# TYPE big gauge\nbig 1e-320\nbig{kind="infinite"} +Inf\n' +
  '# TYPE latency_seconds histogram\nlatency_seconds_bucket{le="0.5"} 1\nlatency_seconds_bucket{le="+Inf"} 3\nlatency_seconds_count 3\nlatency_seconds_sum 2.5\n# EOF\n';

describe.skipIf(!installed)('a real Prometheus (skipped where it is not installed)', () => {
  it('scrapes the page and knows what the app said', { timeout: 90_000 }, async () => {
    const app = await metricsApp(sends(page, openMetrics));
    const { port } = await startMetrics(`targets: [{ name: app, url: '${app.url}', labels: { pod: web-1 } }]`);
    const { ask, query } = await startPrometheus(`127.0.0.1:${port}`);
    await vi.waitFor(async () => expect(await query('requests_total')).toHaveLength(1), {
      timeout: 60_000,
      interval: 200,
    });

    const [requests] = await query('requests_total');
    expect(requests).toMatchObject({
      metric: { job: 'pod', pod: 'web-1', exported_pod: 'app' },
      value: [expect.any(Number), '42'],
    });
    expect((await query('big')).map(({ value }) => value[1]).sort()).toEqual(['+Inf', '1e-320']);
    expect((await query('histogram_quantile(0.3, latency_seconds_bucket)'))[0]?.value[1]).toMatch(/^0\.4[45]/);
    expect(await ask('metadata?metric=latency_seconds')).toMatchObject({ latency_seconds: [{ type: 'histogram' }] });
    const exemplars = await ask(`query_exemplars?query=requests_total&start=0&end=${Date.now() / 1000}`);
    expect(exemplars).toMatchObject([{ exemplars: [{ labels: { trace_id: 'abc' }, value: '1' }] }]);
    // Its own `up` of the scrape, and ours of the app behind it.
    const ups = await query('up');
    expect(ups.map(({ metric }) => metric['target']).sort()).toEqual(['app', undefined]);
    expect(ups.map(({ value }) => value[1])).toEqual(['1', '1']);
    expect(ups.find(({ metric }) => metric['target'] === 'app')?.metric).toMatchObject({
      exported_instance: `127.0.0.1:${app.port}`,
    });

    // The app goes: its series are stale at the next scrape, and the sidecar still answers.
    app.server.closeAllConnections();
    await new Promise((resolve) => app.server.close(resolve));
    await vi.waitFor(async () => expect(await query('requests_total')).toHaveLength(0), {
      timeout: 30_000,
      interval: 200,
    });
    expect((await query('up{target="app"}'))[0]?.value[1]).toBe('0');
    expect((await query('up{target=""}'))[0]?.value[1]).toBe('1');
    const { activeTargets } = await ask<{ activeTargets: { lastError: string }[] }>('targets');
    expect(activeTargets[0]?.lastError).toBe('');
  });

  it('keeps both `up` apart with honor_labels as well', { timeout: 90_000 }, async () => {
    const app = await metricsApp(sends(page, openMetrics));
    const { port } = await startMetrics(`targets: [{ name: app, url: '${app.url}' }]`);
    const { query } = await startPrometheus(`127.0.0.1:${port}`, { honorLabels: true });
    await vi.waitFor(async () => expect(await query('up')).toHaveLength(2), { timeout: 60_000, interval: 200 });
    const instances = (await query('up')).map(({ metric }) => metric['instance']).sort();
    expect(instances).toEqual([`127.0.0.1:${app.port}`, `127.0.0.1:${port}`].sort());
  });

  it(
    'gets the native histograms of an app that has them, and what else there is as protobuf',
    { timeout: 90_000 },
    async () => {
      const type = 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited';
      const { message } = nativeHistogram('rpc_seconds', ['method', 'GET']);
      const app = await metricsApp(sends(message, { 'content-type': type }));
      const { port } = await startMetrics(
        `targets: [{ name: app, url: '${app.url}', format: protobuf, labels: { pod: web-1 } }]`,
      );
      const { query } = await startPrometheus(`127.0.0.1:${port}`, { native: true });
      await vi.waitFor(async () => expect(await query('rpc_seconds')).toHaveLength(1), {
        timeout: 60_000,
        interval: 200,
      });
      expect((await query('histogram_count(rpc_seconds)'))[0]?.value[1]).toBe('5');
      expect((await query('histogram_count(rpc_seconds)'))[0]?.metric).toMatchObject({ method: 'GET', pod: 'web-1' });
      expect(Number((await query('histogram_quantile(0.9, rpc_seconds)'))[0]?.value[1])).toBeGreaterThan(2);
      expect((await query('up{target="app"}'))[0]?.value[1]).toBe('1');
    },
  );
});
