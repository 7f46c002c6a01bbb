import * as v from 'valibot';
import { createDelivery, deliverySchema, type Delivery } from '../../src/logs/delivery/index.ts';
import type { LogRecord } from '../../src/logs/record.ts';
import type { ProcessLog } from '../../src/process-log.ts';
import { Stats } from '../../src/stats/index.ts';

export interface DeliveryHarness {
  readonly delivery: Delivery;
  readonly stats: Stats;
  /** All records acknowledged so far, in order. */
  readonly acknowledged: LogRecord[];
  /** Lines of the log, as text. */
  readonly lines: string[];
  /** Offers as a tail does: waits for room. */
  offer(records: readonly LogRecord[]): Promise<void>;
  /** Flushes, for at most ten seconds. */
  flush(): Promise<void>;
  metric(name: string): Promise<number>;
}

/** Delivery of one test, with pauses that do not make it wait. */
export async function startDelivery(config: Record<string, unknown>): Promise<DeliveryHarness> {
  const acknowledged: LogRecord[] = [];
  const lines: string[] = [];
  const stats = new Stats();
  const log = collectingLog(lines);
  const delivery = await createDelivery(
    v.parse(deliverySchema, { retry: { base_interval: '5ms', max_interval: '20ms' }, ...config }),
    {
      log,
      stats,
      clock: { now: () => Date.now(), monotonic: () => performance.now() },
      random: () => 0.5,
      acknowledged: (records) => acknowledged.push(...records),
    },
  );
  return {
    delivery,
    stats,
    acknowledged,
    lines,
    async offer(records) {
      for (const record of records) if (!delivery.offer(record)) await delivery.room();
    },
    flush: () => delivery.flush(AbortSignal.timeout(10_000)),
    async metric(name) {
      const text = await stats.render();
      const values = text.split('\n').filter((line) => line.startsWith(name) && /[ {]/.test(line[name.length] ?? ''));
      return values.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
    },
  };
}

export function collectingLog(lines: string[]): ProcessLog {
  const write = (message: string, fields?: Record<string, unknown>) => {
    lines.push(`${message} ${JSON.stringify(fields ?? {})}`);
  };
  const log: ProcessLog = {
    level: 'debug',
    dropped: 0,
    debug: write,
    info: write,
    warn: write,
    error: write,
    child: () => log,
    flush: () => Promise.resolve(),
    flushNow() {},
  };
  return log;
}

/** Records of one file: messages `PREFIX 0`, `PREFIX 1` … */
export function makeRecords(count: number, prefix = 'line', key = 'file-1', from = 0): LogRecord[] {
  return Array.from({ length: count }, (_, index) => {
    const at = from + index;
    return {
      source: { key, path: `/var/log/${key}.log`, input: 'app' },
      start: at * 20,
      end: at * 20 + 20,
      time: 1_700_000_000_000 + at,
      nanos: 0,
      fields: { message: `${prefix} ${at}`, level: 'info' },
    };
  });
}

export function messagesOf(records: readonly LogRecord[]): string[] {
  return records.map(({ fields }) => String(fields['message']));
}
