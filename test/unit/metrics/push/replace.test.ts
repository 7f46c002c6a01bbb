import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ownFamily, type OwnSample } from '../../../../src/metrics/own-family.ts';
import { createPush, pushSchema } from '../../../../src/metrics/push/index.ts';
import { folderOf } from '../../../support/folder-of.ts';
import { startReceiver } from '../../../support/remote-write-receiver.ts';
import { sourceDeps } from '../../../support/source-deps.ts';

const at = 1_700_000_000_000;
const requests = (...samples: OwnSample[]) => ownFamily('counter', 'requests_total', 'Requests.', samples);
const until = (check: () => unknown) => expect.poll(check, { timeout: 15_000, interval: 5 });

type Output = Record<string, unknown>;

const outputsOf = (outputs: readonly Output[]) =>
  v.parse(pushSchema, {
    outputs: outputs.map((output) => ({
      name: 'out',
      protocol: 'remote_write',
      min_backoff: '10ms',
      max_backoff: '50ms',
      ...output,
    })),
  }).outputs;

async function start(...outputs: Output[]) {
  const deps = { ...sourceDeps(), clock: { now: () => at + 60_000, monotonic: () => performance.now() } };
  const push = await createPush({ interval: 1000, outputs: outputsOf(outputs) }, deps);
  let turn = 0;
  onTestFinished(async () => void (await push.close()));
  return {
    push,
    deps,
    /** Each one millisecond later. */
    offer: (value: number) => push.offer({ families: [requests([[], value])], at: at + turn++ }),
    replace: (...others: Output[]) => push.replace(others.length === 0 ? [] : outputsOf(others)),
  };
}

const queues: [what: string, queue: () => Output][] = [
  ['in memory', () => ({})],
  ['on the disk', () => ({ queue: { path: join(folderOf(), 'queue') } })],
];

describe.each(queues)('outputs that are replaced, with a queue %s', (_where, queue) => {
  it('take over what waits, in its order, and the series that are known', async () => {
    const ill = await startReceiver(() => ({ status: 503 }));
    const well = await startReceiver();
    const common = queue();
    const { offer, replace } = await start({ url: ill.url, ...common });
    for (const value of [1, 2, 3]) await offer(value);
    await until(() => ill.all.length).toBeGreaterThan(0);
    expect(await replace({ url: well.url, ...common })).toEqual([]);
    await offer(4);
    await until(() => well.samples().map(({ value }) => value)).toEqual([1, 2, 3, 4]);
    const before = ill.all.length;
    await offer(5);
    await until(() => well.samples().map(({ value }) => value)).toEqual([1, 2, 3, 4, 5]);
    expect(ill.all.length).toBe(before);
  });

  it('lose nothing and end no series while snapshots go on coming', async () => {
    const receiver = await startReceiver();
    const common = queue();
    const { offer, replace } = await start({ url: receiver.url, ...common });
    const values = Array.from({ length: 60 }, (_, value) => value);
    for (const value of values) {
      await offer(value);
      if (value % 10 === 5) await replace({ url: receiver.url, timeout: `${value + 1}s`, ...common });
    }
    // What was under way when an output was replaced may be there twice.
    const seen = () => [...new Set(receiver.samples().map(({ value }) => value))];
    await until(seen).toEqual(values);
    expect(receiver.faults).toEqual([]);
  });

  it('end their series when the labels of all of them change', async () => {
    const receiver = await startReceiver();
    const common = queue();
    const { offer, replace } = await start({ url: receiver.url, external_labels: { pod: 'a' }, ...common });
    await offer(1);
    await until(() => receiver.samples().length).toBe(1);
    await replace({ url: receiver.url, external_labels: { pod: 'b' }, ...common });
    await offer(2);
    await until(() => receiver.samples().map(({ series, value }) => `${series} ${value}`)).toEqual([
      'requests_total{pod="a"} 1',
      'requests_total{pod="a"} stale',
      'requests_total{pod="b"} 2',
    ]);
  });

  it('end their series when they are gone, and are no longer in the page', async () => {
    const receiver = await startReceiver();
    const { offer, replace, deps } = await start({ url: receiver.url, ...queue() });
    await offer(1);
    expect(await deps.stats.render()).toContain('portico_metrics_push_waiting_bytes{output="out"}');
    await replace();
    await until(() => receiver.samples().map(({ value }) => value)).toEqual([1, 'stale']);
    await until(() => deps.stats.render()).not.toContain('portico_metrics_push_waiting_bytes{output="out"}');
    expect(await deps.stats.render()).toContain('portico_metrics_push_samples_total{output="out"} 2');
  });
});

describe('outputs that are replaced', () => {
  it('go on undisturbed when nothing about them has changed', async () => {
    const [one, other] = [await startReceiver(), await startReceiver()];
    const { offer, replace } = await start({ url: one.url });
    await offer(1);
    await replace({ url: one.url }, { name: 'other', url: other.url });
    await offer(2);
    await until(() => one.samples().map(({ value }) => value)).toEqual([1, 2]);
    await until(() => other.samples().map(({ value }) => value)).toEqual([2]);
  });

  it('keep a queue on the disk until the next start when its options have changed', async () => {
    const receiver = await startReceiver();
    const path = join(folderOf(), 'queue');
    const { offer, replace } = await start({ url: receiver.url, queue: { path } });
    const notes = await replace({ url: receiver.url, queue: { path, max_bytes: '1MiB' } });
    expect(notes).toEqual(['push.outputs: out has a queue that is in use, which it gets at the next start']);
    await offer(1);
    await until(() => receiver.samples().map(({ value }) => value)).toEqual([1]);
  });

  it('do not open a queue on the disk that another one is about to leave', async () => {
    const receiver = await startReceiver();
    const path = join(folderOf(), 'queue');
    const { replace } = await start({ url: receiver.url, queue: { path } });
    expect(await replace({ name: 'other', url: receiver.url, queue: { path: `${path}/.` } })).toHaveLength(1);
  });

  it('get another queue when they have another folder, and the former one delivers what it has', async () => {
    const receiver = await startReceiver();
    const folder = folderOf();
    const { offer, replace, push } = await start({ url: receiver.url, queue: { path: join(folder, 'one') } });
    await offer(1);
    expect(await replace({ url: receiver.url, queue: { path: join(folder, 'two') } })).toEqual([]);
    await offer(2);
    await push.close();
    expect(
      receiver
        .samples()
        .map(({ value }) => value)
        .filter((value) => value !== 'stale')
        .sort(),
    ).toEqual([1, 2]);
    expect(receiver.faults).toEqual([]);
  });

  it('stay as they are when one of the new ones cannot be had', async () => {
    const receiver = await startReceiver();
    const folder = folderOf();
    writeFileSync(join(folder, 'file'), '');
    const { offer, replace } = await start({ url: receiver.url });
    const bad = { name: 'bad', url: receiver.url, queue: { path: join(folder, 'file', 'queue') } };
    const good = { name: 'good', url: receiver.url, queue: { path: join(folder, 'good') } };
    await expect(replace({ url: receiver.url, timeout: '1s' }, good, bad)).rejects.toThrow('ENOTDIR');
    await offer(1);
    await until(() => receiver.samples().map(({ value }) => value)).toEqual([1]);
    // The queue that was opened in vain is free again.
    expect(await replace({ url: receiver.url }, good)).toEqual([]);
    await offer(2);
    await until(() => receiver.samples().map(({ value }) => value)).toEqual([1, 2, 2]);
  });
});
