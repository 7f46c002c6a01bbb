import type { MetricType } from '../family.ts';
import type { ProcFolder } from './proc-folder.ts';
import { parseNamedNumbers, ticksPerSecond, type ProcStat } from './proc-text.ts';

/** A number that a process has, read while it lives; undefined where it cannot be had. */
export interface ProcessValue {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  /** Labels besides `process`. */
  readonly labels?: readonly string[];
  readonly value: number | undefined;
}

/** All that is said about a process. The names are those of the Prometheus clients, behind `portico_app_`. */
export function processValues(
  proc: ProcFolder,
  pid: number,
  stat: ProcStat,
  options: { readonly proportionalMemory: boolean },
): ProcessValue[] {
  const status = parseNamedNumbers(proc.text(pid, 'status') ?? '');
  const io = parseNamedNumbers(proc.text(pid, 'io') ?? '');
  const bootSeconds = /^btime (\d+)$/m.exec(proc.text('stat') ?? '')?.[1];
  const softLimit = /^Max open files\s+(\d+|unlimited)/m.exec(proc.text(pid, 'limits') ?? '')?.[1];
  const counter = (
    name: string,
    help: string,
    value: number | undefined,
    labels?: readonly string[],
  ): ProcessValue => ({
    name: `portico_app_process_${name}`,
    type: 'counter',
    help,
    value,
    ...(labels && { labels }),
  });
  const gauge = (name: string, help: string, value: number | undefined): ProcessValue => ({
    name: `portico_app_process_${name}`,
    type: 'gauge',
    help,
    value,
  });
  const switches = 'Context switches of the main thread.';
  const memory = options.proportionalMemory ? parseNamedNumbers(proc.text(pid, 'smaps_rollup') ?? '') : undefined;
  return [
    counter(
      'cpu_seconds_total',
      'User and system CPU time in seconds.',
      (stat.userTicks + stat.systemTicks) / ticksPerSecond,
    ),
    counter('cpu_user_seconds_total', 'User CPU time in seconds.', stat.userTicks / ticksPerSecond),
    counter('cpu_system_seconds_total', 'System CPU time in seconds.', stat.systemTicks / ticksPerSecond),
    gauge('resident_memory_bytes', 'Resident memory in bytes.', status.get('VmRSS')),
    gauge('resident_memory_max_bytes', 'Most resident memory that there ever was, in bytes.', status.get('VmHWM')),
    gauge('virtual_memory_bytes', 'Virtual memory in bytes.', status.get('VmSize')),
    gauge('swapped_memory_bytes', 'Swapped memory in bytes.', status.get('VmSwap')),
    gauge(
      'proportional_memory_bytes',
      'Resident memory in bytes, of which shared pages count by their share.',
      memory?.get('Pss'),
    ),
    gauge('open_fds', 'Open file descriptors.', proc.openFiles(pid)),
    gauge(
      'max_fds',
      'Most file descriptors that may be open.',
      softLimit === undefined ? undefined : softLimit === 'unlimited' ? Infinity : Number(softLimit),
    ),
    gauge('threads', 'Threads.', status.get('Threads')),
    gauge(
      'start_time_seconds',
      'Start of the process, in seconds since 1970.',
      bootSeconds === undefined ? undefined : Number(bootSeconds) + stat.startTicks / ticksPerSecond,
    ),
    counter('context_switches_total', switches, status.get('voluntary_ctxt_switches'), ['kind', 'voluntary']),
    counter('context_switches_total', switches, status.get('nonvoluntary_ctxt_switches'), ['kind', 'involuntary']),
    counter('read_bytes_total', 'Bytes that were read from storage.', io.get('read_bytes')),
    counter('written_bytes_total', 'Bytes that were written to storage.', io.get('write_bytes')),
  ];
}
