import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { getHeapStatistics } from 'node:v8';

export interface CgroupPlaces {
  /** Where the control groups are mounted. */
  readonly root: string;
  /** The file in which the kernel says which group this process is in. */
  readonly self: string;
}

const systemPlaces: CgroupPlaces = { root: '/sys/fs/cgroup', self: '/proc/self/cgroup' };

interface MemoryFiles {
  readonly current: string;
  readonly max: string;
  readonly stat: string;
  /** Page cache that the kernel gives up before it kills anybody. */
  readonly reclaimable: RegExp;
}

/** Reads how much of its memory the process has used, from 0 to about 1. */
export type MemoryShare = () => number;

/**
 * The larger one of two shares: of the control group's limit (version 2 or 1), if there is one, without the file cache that
 * can be reclaimed; and of the JavaScript heap's, beyond which V8 ends the process.
 * @param heap used bytes and limit; handed in by tests
 */
export function memoryShare(places: CgroupPlaces = systemPlaces, heap: () => number = heapShare): MemoryShare {
  const files = findFiles(places);
  return () => Math.max(files === undefined ? 0 : (cgroupShare(files) ?? 0), heap());
}

function heapShare(): number {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
  return used / limit;
}

function cgroupShare(files: MemoryFiles): number | undefined {
  // The limit is read each time: Kubernetes resizes containers in place.
  const limit = numberIn(files.max);
  const used = numberIn(files.current);
  // Without a limit version 1 says 2^63 rounded to pages.
  if (limit === undefined || used === undefined || limit <= 0 || limit > 2 ** 60) return undefined;
  const share = used / limit;
  // The details cost the kernel a walk over all CPUs: only asked for when they may matter.
  if (share < 0.5) return share;
  const reclaimable = Number(files.reclaimable.exec(textOf(files.stat) ?? '')?.[1] ?? 0);
  return Math.max(0, used - reclaimable) / limit;
}

/** In a container its own group is mounted as the root; elsewhere the group's path leads there. */
function findFiles({ root, self }: CgroupPlaces): MemoryFiles | undefined {
  const groups = textOf(self) ?? '';
  const two = /^0::(\/.*)$/m.exec(groups)?.[1] ?? '/';
  const one = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(\/.*)$/m.exec(groups)?.[1] ?? '/';
  const candidates = [
    ...[join(root, two), root].map((folder) => versionTwo(folder)),
    ...[join(root, 'memory', one), join(root, 'memory')].map((folder) => versionOne(folder)),
  ];
  return candidates.find(({ current, max }) => numberIn(current) !== undefined && textOf(max) !== undefined);
}

function versionTwo(folder: string): MemoryFiles {
  return {
    current: join(folder, 'memory.current'),
    max: join(folder, 'memory.max'),
    stat: join(folder, 'memory.stat'),
    reclaimable: /^inactive_file (\d+)$/m,
  };
}

function versionOne(folder: string): MemoryFiles {
  return {
    current: join(folder, 'memory.usage_in_bytes'),
    max: join(folder, 'memory.limit_in_bytes'),
    stat: join(folder, 'memory.stat'),
    reclaimable: /^total_inactive_file (\d+)$/m,
  };
}

function numberIn(file: string): number | undefined {
  const text = textOf(file)?.trim();
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
