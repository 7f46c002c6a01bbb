import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import * as v from 'valibot';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ownFamily } from '../../src/metrics/own-family.ts';
import { createPush, pushSchema } from '../../src/metrics/push/index.ts';
import { folderOf } from '../support/folder-of.ts';
import { sourceDeps } from '../support/source-deps.ts';

const installed = spawnSync('prometheus', ['--version']).status === 0;

/** A Prometheus that is written to, on a port of its own. */
async function startPrometheus(): Promise<string> {
  const folder = folderOf({ 'prometheus.yml': 'global: {}\n' });
  const child = spawn(
    'prometheus',
    [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      '--web.enable-remote-write-receiver',
      '--web.listen-address=127.0.0.1:0',
      '--log.format=json',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  onTestFinished(async () => {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  });
  const address = await new Promise<string>((resolve, reject) => {
    let text = '';
    child.stderr.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const port = /"address":"127\.0\.0\.1:([1-9]\d*)"[^\n]*"msg":"Listening on"/.exec(text)?.[1];
      if (port !== undefined) resolve(`http://127.0.0.1:${port}`);
    });
    child.once('exit', () => reject(new Error(`Prometheus has ended: ${text.slice(-2000)}`)));
  });
  await expect
    .poll(async () => (await fetch(`${address}/-/ready`)).status, { timeout: 30_000, interval: 50 })
    .toBe(200);
  return address;
}

describe.skipIf(!installed)('a real Prometheus', { timeout: 90_000 }, () => {
  it.each(['1.0', '2.0'])('takes what is pushed as %s and sees the end of a series', async (version) => {
    const prometheus = await startPrometheus();
    const deps = sourceDeps();
    const config = v.parse(pushSchema, {
      outputs: [
        {
          name: 'prometheus',
          protocol: 'remote_write',
          version,
          url: `${prometheus}/api/v1/write`,
          external_labels: { pod: 'shop-1' },
        },
      ],
    });
    const push = await createPush(config, deps);
    const ask = async (query: string) => {
      const url = new URL(`${prometheus}/api/v1/query`);
      url.searchParams.set('query', query);
      const { data } = (await (await fetch(url)).json()) as {
        data: { result: { metric: Record<string, string>; value: [number, string] }[] };
      };
      return data.result.map(({ metric, value }) => [metric, value[1]]);
    };
    const many = Array.from({ length: 3000 }, (_, at) => [['n', String(at)], at * 1.5] as const);
    const families = [
      ownFamily('counter', 'shop_orders_total', 'Orders.', [
        [['kind', 'großer "Auftrag"\n'], 12345678901234],
        [['kind', 'b'], '1e-320'],
      ]),
      ownFamily('gauge', 'shop_depth', 'Depth.', [[[], '+Inf']]),
      ownFamily('gauge', 'shop_nan', 'None.', [[[], 'NaN']]),
      ownFamily('gauge', 'shop_many', 'Many.', many),
    ];
    const at = Date.now();
    await push.offer({ families, at });
    await expect.poll(() => ask('count(shop_many)'), { timeout: 30_000, interval: 50 }).toEqual([[{}, '3000']]);
    expect(await ask('sum(shop_many)')).toEqual([[{}, '6747750']]);
    expect(await ask('shop_orders_total')).toEqual(
      expect.arrayContaining([
        [{ __name__: 'shop_orders_total', kind: 'großer "Auftrag"\n', pod: 'shop-1' }, '12345678901234'],
        [{ __name__: 'shop_orders_total', kind: 'b', pod: 'shop-1' }, '1e-320'],
      ]),
    );
    expect(await ask('shop_depth')).toEqual([[{ __name__: 'shop_depth', pod: 'shop-1' }, '+Inf']]);
    expect(await ask('shop_nan')).toEqual([[{ __name__: 'shop_nan', pod: 'shop-1' }, 'NaN']]);

    await push.offer({ families: families.slice(1), at: Date.now() });
    await expect.poll(() => ask('shop_orders_total'), { timeout: 30_000, interval: 50 }).toEqual([]);
    await push.close();
    expect(await ask('{__name__=~"shop_.*"}')).toEqual([]);
    // This one may know 1.0 only.
    expect(deps.lines.filter((line) => !line.includes('going on with 1.0'))).toEqual([]);
    // Both snapshots, and an end mark for each of the 3004 series.
    expect(await deps.stats.render()).toContain(
      `portico_metrics_push_samples_total{output="prometheus"} ${3004 + 3002 + 3004}`,
    );
  });
});
