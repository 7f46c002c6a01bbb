import type { OwnSample } from '../own-family.ts';

/** Reads a file of a control group; undefined when there is none. */
export type ReadFile = (name: string) => string | undefined;

/** Samples by the name of their family. Labels do not name the group yet. */
export type GroupValues = Map<string, OwnSample[]>;

/** All families: name, whether it counts, and what it says. */
export const groupFamilies: readonly (readonly [name: string, type: 'counter' | 'gauge', help: string])[] = [
  [
    'portico_app_pressure_stalled_seconds_total',
    'counter',
    'Time in which some, or all, tasks waited for the resource.',
  ],
  [
    'portico_app_pressure_stalled_ratio',
    'gauge',
    'Share of the last time in which some, or all, tasks waited for the resource.',
  ],
  ['portico_app_cgroup_memory_bytes', 'gauge', 'Memory of the control group, with its file cache, in bytes.'],
  [
    'portico_app_cgroup_memory_reclaimable_bytes',
    'gauge',
    'Inactive file cache within it, which is given up before anything is killed.',
  ],
  [
    'portico_app_cgroup_memory_max_bytes',
    'gauge',
    'Memory beyond which the kernel kills, in bytes; +Inf without a limit.',
  ],
  [
    'portico_app_cgroup_memory_high_bytes',
    'gauge',
    'Memory beyond which the kernel slows down, in bytes; +Inf without one.',
  ],
  [
    'portico_app_cgroup_memory_events_total',
    'counter',
    'What happened for want of memory: low, high, max, oom, oom_kill.',
  ],
  ['portico_app_cgroup_cpu_seconds_total', 'counter', 'CPU time of the control group.'],
  ['portico_app_cgroup_cpu_limit_cores', 'gauge', 'CPUs that the control group may use; +Inf without a limit.'],
  ['portico_app_cgroup_cpu_periods_total', 'counter', 'Periods in which the control group ran under its CPU limit.'],
  ['portico_app_cgroup_cpu_throttled_periods_total', 'counter', 'Periods in which it was stopped until the next one.'],
  [
    'portico_app_cgroup_cpu_throttled_seconds_total',
    'counter',
    'Time that its tasks were stopped for, added up over CPUs.',
  ],
];

/** What a group says: of version 2, else what version 1 has of it. Source: Linux, admin-guide/cgroup-v2 and accounting/psi. */
export function groupValues(read: ReadFile): GroupValues {
  const values: GroupValues = new Map();
  const add = (name: string, value: number | undefined, labels: readonly string[] = []) => {
    if (value === undefined) return;
    const known = values.get(name);
    if (known === undefined) values.set(name, [[labels, value]]);
    else known.push([labels, value]);
  };
  for (const resource of ['cpu', 'memory', 'io']) addPressure(read(`${resource}.pressure`) ?? '', resource, add);
  if (read('memory.current') !== undefined || read('cgroup.controllers') !== undefined) addVersionTwo(read, add);
  else addVersionOne(read, add);
  return values;
}

type Add = (name: string, value: number | undefined, labels?: readonly string[]) => void;

function addPressure(text: string, resource: string, add: Add): void {
  for (const [, kind, numbers] of text.matchAll(/^(some|full) (.*)$/gm)) {
    const labels = ['resource', resource, 'kind', kind!];
    for (const [, key, value] of numbers!.matchAll(/(\w+)=(\d+(?:\.\d+)?)/g)) {
      if (key === 'total') add('portico_app_pressure_stalled_seconds_total', Number(value) / 1e6, labels);
      else if (key!.startsWith('avg')) {
        // Percent with two digits: the division must not add any.
        const ratio = Number((Number(value) / 100).toFixed(4));
        add('portico_app_pressure_stalled_ratio', ratio, [...labels, 'window', `${key!.slice(3)}s`]);
      }
    }
  }
}

function addVersionTwo(read: ReadFile, add: Add): void {
  add('portico_app_cgroup_memory_bytes', numberIn(read('memory.current')));
  add('portico_app_cgroup_memory_reclaimable_bytes', keyed(read('memory.stat')).get('inactive_file'));
  add('portico_app_cgroup_memory_max_bytes', numberIn(read('memory.max')));
  add('portico_app_cgroup_memory_high_bytes', numberIn(read('memory.high')));
  for (const [event, count] of keyed(read('memory.events'))) {
    add('portico_app_cgroup_memory_events_total', count, ['event', event]);
  }
  const cpu = keyed(read('cpu.stat'));
  add('portico_app_cgroup_cpu_seconds_total', scaled(cpu.get('usage_usec'), 1e6));
  const limit = /^(max|\d+) (\d+)/.exec(read('cpu.max') ?? '');
  if (limit !== null) add('portico_app_cgroup_cpu_limit_cores', numberIn(limit[1])! / Number(limit[2]));
  add('portico_app_cgroup_cpu_periods_total', cpu.get('nr_periods'));
  add('portico_app_cgroup_cpu_throttled_periods_total', cpu.get('nr_throttled'));
  add('portico_app_cgroup_cpu_throttled_seconds_total', scaled(cpu.get('throttled_usec'), 1e6));
}

function addVersionOne(read: ReadFile, add: Add): void {
  add('portico_app_cgroup_memory_bytes', numberIn(read('memory/memory.usage_in_bytes')));
  add('portico_app_cgroup_memory_reclaimable_bytes', keyed(read('memory/memory.stat')).get('total_inactive_file'));
  const limit = numberIn(read('memory/memory.limit_in_bytes'));
  // Without a limit version 1 says 2^63 rounded to pages.
  add('portico_app_cgroup_memory_max_bytes', limit !== undefined && limit > 2 ** 60 ? Infinity : limit);
  const kills = keyed(read('memory/memory.oom_control')).get('oom_kill');
  add('portico_app_cgroup_memory_events_total', kills, ['event', 'oom_kill']);
  add('portico_app_cgroup_cpu_seconds_total', scaled(numberIn(read('cpuacct/cpuacct.usage')), 1e9));
  const quota = Number((read('cpu/cpu.cfs_quota_us') ?? '').trim() || NaN);
  const period = numberIn(read('cpu/cpu.cfs_period_us'));
  if (period !== undefined && !Number.isNaN(quota)) {
    add('portico_app_cgroup_cpu_limit_cores', quota < 0 ? Infinity : quota / period);
  }
  const cpu = keyed(read('cpu/cpu.stat'));
  add('portico_app_cgroup_cpu_periods_total', cpu.get('nr_periods'));
  add('portico_app_cgroup_cpu_throttled_periods_total', cpu.get('nr_throttled'));
  add('portico_app_cgroup_cpu_throttled_seconds_total', scaled(cpu.get('throttled_time'), 1e9));
}

/** Lines `key 123`. */
function keyed(text = ''): ReadonlyMap<string, number> {
  return new Map(Array.from(text.matchAll(/^(\w+) (\d+)$/gm), ([, key, digits]) => [key!, Number(digits)] as const));
}

function numberIn(text: string | undefined): number | undefined {
  const trimmed = text?.trim();
  if (trimmed === 'max') return Infinity;
  return trimmed !== undefined && /^\d+$/.test(trimmed) ? Number(trimmed) : undefined;
}

function scaled(value: number | undefined, unit: number): number | undefined {
  return value === undefined ? undefined : value / unit;
}
