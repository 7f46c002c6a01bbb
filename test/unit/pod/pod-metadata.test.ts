import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import * as v from 'valibot';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { PodMetadata, podSchema } from '../../../src/pod/index.ts';

function volume() {
  const folder = mkdtempSync(join(tmpdir(), 'portico-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  let revision = 0;
  return {
    folder,
    /** As the kubelet does it: a new folder, and a link to it that is swapped. */
    publish(files: Record<string, string>) {
      const data = join(folder, `..${++revision}`);
      mkdirSync(data);
      for (const [name, text] of Object.entries(files)) writeFileSync(join(data, name), text);
      symlinkSync(data, join(folder, '..data_tmp'));
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
      if (revision > 1) return;
      for (const name of Object.keys(files)) symlinkSync(join('..data', name), join(folder, name));
    },
  };
}

async function start(options: v.InferInput<typeof podSchema>, environment: Record<string, string> = {}) {
  const config = v.parse(podSchema, { poll_interval: '50ms', ...options });
  const metadata = await PodMetadata.start(config, { environment, resolvePath: (path) => resolve(path) });
  onTestFinished(() => metadata.stop());
  return metadata;
}

describe('the metadata of the pod', () => {
  it('comes from the environment and the files of a downward API volume', async () => {
    const { folder, publish } = volume();
    publish({ labels: 'app="shop"\ntier="front"\n', annotations: 'team="doors"\nnoise="x"\n' });
    const { current } = await start(
      { labels_file: join(folder, 'labels'), annotations_file: join(folder, 'annotations'), annotations: ['team'] },
      { POD_NAME: 'shop-1', POD_NAMESPACE: 'prod', NODE_NAME: '', POD_IP: '10.0.0.1' },
    );
    expect(current).toMatchObject({ name: 'shop-1', namespace: 'prod', node: undefined, ip: '10.0.0.1' });
    expect([...current.labels]).toEqual([
      ['app', 'shop'],
      ['tier', 'front'],
    ]);
    expect([...current.annotations]).toEqual([['team', 'doors']]);
  });

  it('is read again when Kubernetes swaps the files, under another version', async () => {
    const { folder, publish } = volume();
    publish({ labels: 'version="1"\n' });
    const metadata = await start({ labels_file: join(folder, 'labels'), annotations_file: join(folder, 'none') });
    const before = metadata.current;
    publish({ labels: 'version="2"\n' });
    await vi.waitFor(() => expect(metadata.current.labels.get('version')).toBe('2'), 10_000);
    expect(metadata.current.version).not.toBe(before.version);
    expect(before.labels.get('version')).toBe('1');
  });

  it('is empty where nothing is told, and comes when it does', async () => {
    const { folder, publish } = volume();
    const metadata = await start({ labels_file: join(folder, 'labels'), annotations_file: join(folder, 'none') });
    expect([metadata.current.name, metadata.current.labels.size]).toEqual([undefined, 0]);
    publish({ labels: 'app="late"\n' });
    await vi.waitFor(() => expect(metadata.current.labels.get('app')).toBe('late'), 10_000);
  });

  it.each([
    { labels: ['app'], left: ['app'] },
    { labels: ['app.kubernetes.io/*'], left: ['app.kubernetes.io/name', 'app.kubernetes.io/part-of'] },
    { labels: ['*'], left: ['app', 'app.kubernetes.io/name', 'app.kubernetes.io/part-of'] },
    { labels: [], left: [] },
  ])('takes the labels $labels', async ({ labels, left }) => {
    const { folder, publish } = volume();
    publish({ labels: 'app="a"\napp.kubernetes.io/name="b"\napp.kubernetes.io/part-of="c"\n' });
    const { current } = await start({
      labels_file: join(folder, 'labels'),
      annotations_file: join(folder, 'x'),
      labels,
    });
    expect([...current.labels.keys()]).toEqual(left);
  });
});
