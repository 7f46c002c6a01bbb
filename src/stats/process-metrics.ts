import { readdirSync, readFileSync, statSync } from 'node:fs';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import { Counter, Gauge } from './prom-client.ts';
import type { Stats, Together } from './stats.ts';

/**
 * Milliseconds between two looks at the event loop. Each look wakes the process: 50 ms cost an eighth of a percent of a
 * core when nothing happens, prom-client's default of 10 ms more than three times as much.
 */
const resolution = 50;

/**
 * What the process itself uses: CPU, memory, file descriptors and how late the event loop is, under the names that
 * dashboards for Prometheus clients expect; and which Portico it is. Values are read when somebody scrapes.
 * prom-client's own collection is not used: it walks all handles at each scrape and watches each garbage collection.
 * Returns a function that stops it.
 */
export function processMetrics({ registry }: Stats, { version }: { version: string }): () => void {
  const names: string[] = [];
  const gauge = (name: string, help: string, read: () => number | undefined, aggregator: Together = 'sum') => {
    names.push(name);
    new Gauge({
      name,
      help,
      aggregator,
      registers: [registry],
      collect() {
        const value = read();
        if (value !== undefined) this.set(value);
      },
    });
  };
  const counter = (name: string, help: string, read: () => number) => {
    names.push(name);
    new Counter({
      name,
      help,
      registers: [registry],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  };

  names.push('portico_build_info');
  new Gauge({
    name: 'portico_build_info',
    help: 'Always 1; the labels say what runs.',
    labelNames: ['version', 'node_version'],
    aggregator: 'first',
    registers: [registry],
  }).set({ version, node_version: process.versions.node }, 1);

  counter('process_cpu_user_seconds_total', 'User CPU time in seconds.', () => process.cpuUsage().user / 1e6);
  counter('process_cpu_system_seconds_total', 'System CPU time in seconds.', () => process.cpuUsage().system / 1e6);
  counter('process_cpu_seconds_total', 'User and system CPU time in seconds.', () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  const started = (performance.timeOrigin / 1000) | 0;
  gauge('process_start_time_seconds', 'Start of the process, in seconds since 1970.', () => started, 'first');
  gauge('process_resident_memory_bytes', 'Resident memory in bytes.', () => process.memoryUsage.rss());
  gauge('process_open_fds', 'Open file descriptors.', openFileDescriptors);
  const limit = maxFileDescriptors();
  if (limit !== undefined) gauge('process_max_fds', 'Most file descriptors that may be open.', () => limit, 'min');

  gauge(
    'nodejs_heap_size_total_bytes',
    'Size of the JavaScript heap in bytes.',
    () => getHeapStatistics().total_heap_size,
  );
  gauge(
    'nodejs_heap_size_used_bytes',
    'Used part of the JavaScript heap in bytes.',
    () => getHeapStatistics().used_heap_size,
  );
  gauge(
    'nodejs_heap_size_limit_bytes',
    'Size at which the JavaScript heap is full, in bytes.',
    () => getHeapStatistics().heap_size_limit,
  );
  gauge(
    'nodejs_external_memory_bytes',
    'Memory of buffers and the like, outside the JavaScript heap, in bytes.',
    () => {
      const { external } = process.memoryUsage();
      return external;
    },
  );

  counter(
    'nodejs_eventloop_active_seconds_total',
    'Seconds that the event loop worked rather than waited; its rate is the utilisation.',
    () => performance.eventLoopUtilization().active / 1000,
  );
  const delay = monitorEventLoopDelay({ resolution });
  delay.enable();
  // The histogram holds the time between looks, of which `resolution` was intended. An empty one answers NaN or huge values.
  const late = (nanoseconds: number) => (delay.count === 0 ? 0 : Math.max(0, nanoseconds / 1e9 - resolution / 1000));
  const since = 'since the last scrape';
  gauge(
    'nodejs_eventloop_lag_mean_seconds',
    `Mean lateness of the event loop ${since}.`,
    () => late(delay.mean),
    'max',
  );
  gauge(
    'nodejs_eventloop_lag_p50_seconds',
    `Median lateness of the event loop ${since}.`,
    () => late(delay.percentile(50)),
    'max',
  );
  gauge(
    'nodejs_eventloop_lag_p90_seconds',
    `90th percentile of the lateness of the event loop ${since}.`,
    () => late(delay.percentile(90)),
    'max',
  );
  gauge(
    'nodejs_eventloop_lag_p99_seconds',
    `99th percentile of the lateness of the event loop ${since}.`,
    () => late(delay.percentile(99)),
    'max',
  );
  // The last of them begins anew: metrics are collected in the order in which they were registered.
  gauge(
    'nodejs_eventloop_lag_max_seconds',
    `Worst lateness of the event loop ${since}.`,
    () => {
      const worst = late(delay.max);
      delay.reset();
      return worst;
    },
    'max',
  );

  return () => {
    delay.disable();
    for (const name of names) registry.removeSingleMetric(name);
  };
}

/** Since Linux 6.2 the size of the folder is the number; before, the folder is read, which takes long when it is full. */
function openFileDescriptors(): number | undefined {
  try {
    return statSync('/proc/self/fd').size || readdirSync('/proc/self/fd').length - 1;
  } catch {
    return undefined;
  }
}

function maxFileDescriptors(): number | undefined {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}
