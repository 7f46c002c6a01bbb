import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBulkServer, type BulkServer } from './bulk-server.ts';
import { judge, logWriter } from './log-writer.ts';
import { launchLogs, pause } from './logs-process.ts';
import { Random } from './random.ts';

export interface CrashReport {
  readonly written: number;
  readonly rotations: number;
  readonly missing: readonly number[];
  /** Records that the store has twice, under two ids. */
  readonly repeated: number;
  readonly foreign: readonly string[];
  /** Records that came to the store again, which it told by their ids. */
  readonly sentAgain: number;
  /** Most of them that one kill has made. */
  readonly mostSentAgain: number;
  /** Records that the store got after a later one of the same file. */
  readonly disordered: number;
  /** Starts that found a checkpoint they could not use. */
  readonly refused: number;
}

/**
 * A writer that rotates, a `portico logs` that is killed at random points, and a store. At the end one that is not killed
 * brings the rest.
 */
export async function crashAgainAndAgain({ kills, seed }: { kills: number; seed: number }): Promise<CrashReport> {
  const random = new Random(seed);
  const folder = mkdtempSync(join(tmpdir(), 'portico-crash-'));
  mkdirSync(join(folder, 'log'));
  const store = await startBulkServer();
  // So that there is a time between what was sent and what is acknowledged.
  store.delay = 5;
  writeFileSync(join(folder, 'logs.yaml'), config(folder, store.url));
  const writer = logWriter(join(folder, 'log/app.log'));
  let rotations = 0;
  let refused = 0;
  let mostSentAgain = 0;
  const write = setInterval(() => {
    writer.write(1 + random.below(40));
    if (random.below(40) !== 0) return;
    rotations++;
    writer.rotate(join(folder, `log/app.log.${rotations}`), random.below(20));
  }, 5);
  try {
    for (let kill = 0; kill < kills; kill++) {
      const had = store.documents.size;
      const sentAgain = store.conflicts.length;
      const portico = launchLogs(folder);
      // Once it ships, any time from at once to a few checkpoints later.
      while (store.documents.size === had && portico.running()) await pause(2);
      await pause(random.below(250));
      const said = await portico.end('SIGKILL');
      if (said.includes('checkpoint cannot be used')) refused++;
      mostSentAgain = Math.max(mostSentAgain, store.conflicts.length - sentAgain);
    }
    clearInterval(write);
    const portico = launchLogs(folder);
    const deadline = Date.now() + 60_000;
    while (store.documents.size < writer.written && portico.running() && Date.now() < deadline) await pause(20);
    await portico.end('SIGTERM');
    const result = judge(messagesOf(store), writer.written);
    const sentAgain = store.conflicts.length;
    return {
      written: writer.written,
      rotations,
      ...result,
      sentAgain,
      mostSentAgain,
      disordered: disorder(store),
      refused,
    };
  } finally {
    clearInterval(write);
    writer.close();
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function messagesOf(store: BulkServer): string[] {
  return [...store.documents.values()].map(({ message }) => String(message));
}

/** An id is `…KEY-OFFSET`, the offset with 36 digits; a file must arrive from its beginning to its end. */
function disorder(store: BulkServer): number {
  const last = new Map<string, number>();
  let disordered = 0;
  for (const name of store.documents.keys()) {
    const cut = name.lastIndexOf('-');
    const key = name.slice(0, cut);
    const offset = Number.parseInt(name.slice(cut + 1), 36);
    if (offset < (last.get(key) ?? -1)) disordered++;
    last.set(key, offset);
  }
  return disordered;
}

function config(folder: string, url: string): string {
  return `
admin: { address: 127.0.0.1:0 }
inputs: [{ name: app, paths: ['${folder}/log/app.log*'], parser: { type: none } }]
follow: { poll_interval: 20ms, discover_interval: 50ms }
state: { folder: '${folder}/state', checkpoint_interval: 20ms }
batch: { max_records: 200, max_wait: 20ms }
output: { kind: elasticsearch, endpoints: ['${url}'], index: logs }
`;
}
