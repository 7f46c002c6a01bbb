import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBulkServer } from './bulk-server.ts';
import { judge, logWriter } from './log-writer.ts';
import { launchLogs, pause } from './logs-process.ts';

export interface OutageOptions {
  /** Milliseconds for which the store is away. */
  readonly away: number;
  /** More of the configuration, as YAML. */
  readonly more?: string;
}

export interface OutageReport {
  readonly written: number;
  /** Of them, written while the store was away. */
  readonly whileAway: number;
  readonly missing: readonly number[];
  readonly repeated: number;
  readonly foreign: readonly string[];
  /** Milliseconds from the return of the store until it had all. */
  readonly caughtUp: number;
}

/**
 * A store that goes away, while the app writes and rotates; meanwhile `portico logs` is killed once, and once stopped in an
 * orderly way with its work undone. Then the store comes back.
 */
export async function storeAway({ away, more = '' }: OutageOptions): Promise<OutageReport> {
  const folder = mkdtempSync(join(tmpdir(), 'portico-outage-'));
  mkdirSync(join(folder, 'log'));
  const store = await startBulkServer();
  writeFileSync(join(folder, 'logs.yaml'), `${config(folder, store.url)}${more}\n`);
  const writer = logWriter(join(folder, 'log/app.log'));
  const write = setInterval(() => writer.write(10), 10);
  let portico = launchLogs(folder);
  const shipped = async (count: () => number, deadline = Date.now() + 120_000) => {
    while (store.documents.size < count() && portico.running() && Date.now() < deadline) await pause(10);
  };
  try {
    await shipped(() => 100);
    await store.down();
    const before = writer.written;
    await pause(away / 3);
    await portico.end('SIGKILL');
    writer.rotate(join(folder, 'log/app.log.1'), 20);
    portico = launchLogs(folder);
    await Promise.all([portico.started, pause(away / 3)]);
    await portico.end('SIGTERM', 1);
    writer.rotate(join(folder, 'log/app.log.2'), 20);
    portico = launchLogs(folder);
    await Promise.all([portico.started, pause(away / 3)]);
    const whileAway = writer.written - before;
    clearInterval(write);
    const back = performance.now();
    await store.up();
    await shipped(() => writer.written);
    const caughtUp = performance.now() - back;
    await portico.end('SIGTERM');
    const messages = [...store.documents.values()].map(({ message }) => String(message));
    return { written: writer.written, whileAway, ...judge(messages, writer.written), caughtUp };
  } finally {
    clearInterval(write);
    if (portico.running()) await portico.end('SIGKILL');
    writer.close();
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function config(folder: string, url: string): string {
  return `
admin: { address: 127.0.0.1:0 }
inputs: [{ name: app, paths: ['${folder}/log/app.log*'], parser: { type: none } }]
state: { folder: '${folder}/state' }
drain: { drain_time: 500ms }
output: { kind: elasticsearch, endpoints: ['${url}'], index: logs }
`;
}
