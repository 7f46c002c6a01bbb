import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { onTestFinished, vi } from 'vitest';
import type { Clock } from '../../src/filter/define-filter.ts';
import { readingSchema, type ReadingConfig } from '../../src/logs/config.ts';
import type { Outlet } from '../../src/logs/outlet.ts';
import type { Process } from '../../src/logs/pipeline.ts';
import type { LogRecord } from '../../src/logs/record.ts';
import { Shipping } from '../../src/logs/shipping.ts';
import { createProcessLog } from '../../src/process-log.ts';
import { Stats } from '../../src/stats/index.ts';

/** Takes records, and acknowledges them when it is told to, or at once. */
export class FakeOutlet implements Outlet {
  readonly records: LogRecord[] = [];
  /** Records that it holds before it is full. */
  capacity = 1000;
  closed = false;
  #holds: boolean;
  readonly #acknowledged: (records: readonly LogRecord[]) => void;
  #waiting: LogRecord[] = [];
  #asking: (() => void)[] = [];

  constructor(acknowledged: (records: readonly LogRecord[]) => void, { holds = false }: { holds?: boolean } = {}) {
    this.#acknowledged = acknowledged;
    this.#holds = holds;
  }

  get texts(): string[] {
    return this.records.map(textOf);
  }

  get waiting(): readonly LogRecord[] {
    return this.#waiting;
  }

  offer(record: LogRecord): boolean {
    this.records.push(record);
    this.#waiting.push(record);
    if (!this.#holds) setImmediate(() => this.acknowledge());
    return this.#waiting.length < this.capacity;
  }

  room(): Promise<void> {
    if (this.#waiting.length < this.capacity) return Promise.resolve();
    return new Promise((resolve) => this.#asking.push(resolve));
  }

  /** @param records all that wait unless they are given */
  acknowledge(records: readonly LogRecord[] = this.#waiting): void {
    this.#waiting = this.#waiting.filter((record) => !records.includes(record));
    this.#acknowledged(records);
    for (const resolve of this.#asking.splice(0)) resolve();
  }

  /** From now on it acknowledges at once. */
  release(): void {
    this.#holds = false;
    this.acknowledge();
  }

  async flush(signal: AbortSignal): Promise<void> {
    while (this.#waiting.length > 0 && !signal.aborted) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

export interface ShippingTest {
  readonly shipping: Shipping;
  readonly outlet: FakeOutlet;
  readonly stats: Stats;
  readonly logged: { level: string; message: string; fields: Record<string, unknown> | undefined }[];
  metric(line: string): Promise<number | undefined>;
  /** Resolves when exactly these texts have come. */
  ships(texts: readonly string[]): Promise<void>;
}

export interface ShippingTestOptions {
  readonly folder: string;
  /** Of the one input; `paths` are relative to the folder. */
  readonly input?: Record<string, unknown> & { paths?: readonly string[] };
  readonly config?: Record<string, unknown>;
  readonly process?: Process;
  readonly holds?: boolean;
  readonly capacity?: number;
  readonly clock?: Clock;
}

/** As fast as a test wants it. */
export function readingConfig({ folder, input = {}, config = {} }: ShippingTestOptions): ReadingConfig {
  const { paths = ['*.log'], ...options } = input;
  return v.parse(readingSchema, {
    inputs: [
      {
        name: 'app',
        rotate_wait: '300ms',
        partial_line_timeout: '30s',
        ...options,
        paths: paths.map((path) => (path.startsWith('/') ? path : join(folder, path))),
      },
    ],
    follow: { poll_interval: '20ms', discover_interval: '50ms' },
    state: { folder: join(folder, 'state'), checkpoint_interval: '20ms' },
    drain: { drain_time: '10s' },
    ...config,
  });
}

/** Ships the files of a folder into the test; stopped when the test has finished. */
export async function startShipping(options: ShippingTestOptions): Promise<ShippingTest> {
  const stats = new Stats();
  const logged: ShippingTest['logged'] = [];
  let outlet: FakeOutlet | undefined;
  const connect = async (acknowledged: (records: readonly LogRecord[]) => void) => {
    outlet = new FakeOutlet(acknowledged, options);
    if (options.capacity !== undefined) outlet.capacity = options.capacity;
    return outlet;
  };
  const shipping = await Shipping.start(
    readingConfig(options),
    { process: options.process ?? asText, connect },
    {
      log: recordingLog(logged),
      stats,
      clock: options.clock ?? { now: () => Date.now(), monotonic: () => performance.now() },
    },
  );
  onTestFinished(() => shipping.stop());
  return {
    shipping,
    outlet: outlet!,
    stats,
    logged,
    async metric(line) {
      const text = await stats.render();
      const found = text.split('\n').find((candidate) => candidate.startsWith(`${line} `));
      return found === undefined ? undefined : Number(found.slice(line.length + 1));
    },
    ships: (texts) =>
      until(() => {
        if (JSON.stringify(outlet!.texts) !== JSON.stringify(texts)) {
          throw new Error(`shipped ${JSON.stringify(outlet!.texts)}, not ${JSON.stringify(texts)}`);
        }
      }),
  };
}

/** Every record is its text. */
export function asText({ source, start, end, text, readAt, cut, escaped, cri }: Parameters<Process>[0]): LogRecord {
  return { source, start, end, time: readAt, nanos: 0, fields: { message: text, cut, escaped, cri } };
}

export function textOf(record: LogRecord): string {
  return record.fields['message'] as string;
}

/** Tries again until it holds. */
export function until<T>(holds: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(holds, { timeout: 15_000, interval: 5 });
}

/** A folder that is gone when the test has finished. */
export function logFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'portico-test-'));
  mkdirSync(join(folder, 'state'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function recordingLog(logged: ShippingTest['logged']) {
  const log = createProcessLog({ level: 'off', format: 'json' });
  for (const level of ['debug', 'info', 'warn', 'error'] as const) {
    log[level] = (message, fields) => void logged.push({ level, message, fields });
  }
  return log;
}

/** A file of two lines, of which one has arrived when the sidecar ends. */
export async function oneOfTwoArrived() {
  const folder = logFolder();
  const path = join(folder, 'app.log');
  writeFileSync(path, 'one\ntwo\n');
  const first = await startShipping({ folder, holds: true });
  await first.ships(['one', 'two']);
  first.outlet.acknowledge([first.outlet.records[0]!]);
  await first.shipping.stop();
  return { folder, path, first };
}
