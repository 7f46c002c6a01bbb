import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { memoryShare } from '../../../src/overload/memory-share.ts';

const MiB = 1024 ** 2;

function share(files: Record<string, string | number>, heap = 0.1): number {
  const folder = mkdtempSync(join(tmpdir(), 'portico-cgroup-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), `${content}\n`);
  }
  return memoryShare({ root: folder, self: join(folder, 'self') }, () => heap)();
}

describe('the share of memory that is used', () => {
  it.each<[what: string, files: Record<string, string | number>, heap: number, expected: number]>([
    [
      'is that of a version 2 control group, without reclaimable file cache',
      {
        'memory.max': 100 * MiB,
        'memory.current': 90 * MiB,
        'memory.stat': `file 9\ninactive_file ${20 * MiB}\nanon 1`,
      },
      0.1,
      0.7,
    ],
    [
      'is that of the group that the process is in',
      {
        self: '0::/pod/app',
        'pod/app/memory.max': 100 * MiB,
        'pod/app/memory.current': 95 * MiB,
        'pod/app/memory.stat': 'inactive_file 0',
        'memory.max': 1000 * MiB,
        'memory.current': 95 * MiB,
      },
      0.1,
      0.95,
    ],
    [
      'is that of the mounted root when the path is not visible from inside',
      { self: '0::/kubepods/x', 'memory.max': 100 * MiB, 'memory.current': 60 * MiB, 'memory.stat': '' },
      0.1,
      0.6,
    ],
    [
      'is that of a version 1 control group',
      {
        self: '4:cpu:/\n5:memory:/docker/1',
        'memory/docker/1/memory.limit_in_bytes': 100 * MiB,
        'memory/docker/1/memory.usage_in_bytes': 80 * MiB,
        'memory/docker/1/memory.stat': `inactive_file 1\ntotal_inactive_file ${10 * MiB}`,
      },
      0.1,
      0.7,
    ],
    ['is that of the heap when the group has no limit', { 'memory.max': 'max', 'memory.current': 90 * MiB }, 0.3, 0.3],
    [
      'is that of the heap when version 1 says the largest number',
      { 'memory/memory.limit_in_bytes': '9223372036854771712', 'memory/memory.usage_in_bytes': 90 * MiB },
      0.3,
      0.3,
    ],
    ['is that of the heap when there are no control groups', {}, 0.3, 0.3],
    ['is that of the heap when it is the fuller one', { 'memory.max': 100, 'memory.current': 10 }, 0.8, 0.8],
    ['is that of the heap when the files hold nonsense', { 'memory.max': 'x', 'memory.current': 'y' }, 0.3, 0.3],
  ])('%s', (_what, files, heap, expected) => {
    expect(share(files, heap)).toBeCloseTo(expected, 5);
  });

  it('can be read on this machine', () => {
    const value = memoryShare()();
    expect(value).toBeGreaterThan(0);
    expect(value).toBeLessThan(1.5);
  });
});
