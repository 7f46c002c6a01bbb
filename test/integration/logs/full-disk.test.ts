import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { readCheckpoint } from '../../../src/logs/checkpoint.ts';
import { bulkStore, logsHome, messagesIn, toStore } from '../../support/logs-role.ts';
import { judge, logWriter } from '../../support/log-writer.ts';
import { until } from '../../support/logs.ts';

const mountable = canMount();
if (!mountable) process.stderr.write('nothing can be mounted here: a disk that is really full is NOT tested\n');

test.skipIf(!mountable)(
  'with a full disk under the checkpoint shipping goes on, and the checkpoint does when there is room',
  async () => {
    const home = logsHome();
    const store = await bulkStore();
    const state = join(home.folder, 'small');
    mkdirSync(state);
    mountSmall(state);
    onTestFinished(() => unmount(state));
    const checkpoint = join(state, 'checkpoint.json');
    const onDisk = () => readCheckpoint(readFileSync(checkpoint, 'utf8')).map(({ offset }) => offset);
    home.configure({ output: toStore(store), state: { folder: 'small', checkpoint_interval: '20ms' } });
    const writer = logWriter(home.log('app.log'));
    writer.write(100);
    const portico = await home.start();
    await until(() => expect(onDisk()).toEqual([7600]));

    const { bavail, bsize } = statfsSync(state);
    writeFileSync(join(state, 'filler'), Buffer.alloc(bavail * bsize));
    const told = portico.says(/ENOSPC[^\n]*cannot write the checkpoint; shipping goes on/);
    writer.write(100);
    await told;
    await until(() => expect(store.documents.size).toBe(200));
    writer.write(100);
    await until(() => expect(store.documents.size).toBe(300));
    expect(onDisk()).toEqual([7600]);
    expect(JSON.parse(await portico.admin('/files?format=json'))).toMatchObject({ checkpoint_failing: 'ENOSPC' });
    expect(await portico.admin('/metrics')).toMatch(/portico_logs_checkpoint_failures_total [1-9]/);
    expect(await portico.admin('/ready')).toContain('LIVE');

    rmSync(join(state, 'filler'));
    await portico.says(/checkpoints can be written again/);
    await until(() => expect(onDisk()).toEqual([22_800]));
    portico.child.kill('SIGKILL');
    await portico.exited;
    writer.write(100);
    const again = await home.start();
    await until(() => expect(store.documents.size).toBe(400));
    expect(await again.terminate()).toBe(0);
    expect(judge(messagesIn(store), writer.written)).toEqual({ missing: [], repeated: 0, foreign: [] });
    // What was shipped while nothing could be written was in the checkpoint by the end.
    expect(store.conflicts).toEqual([]);
  },
  120_000,
);

function mountSmall(folder: string): void {
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder]);
  if (status !== 0) throw new Error(stderr?.toString() ?? 'there is no mount');
}

function unmount(folder: string): void {
  spawnSync('umount', ['-l', folder]);
}

function canMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'portico-test-'));
  try {
    mountSmall(folder);
    unmount(folder);
    return true;
  } catch {
    return false;
  } finally {
    rmdirSync(folder);
  }
}
