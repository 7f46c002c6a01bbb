import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { judge, logWriter, sequenceOf } from './log-writer.ts';
import { Random } from './random.ts';

export interface CrashReport {
  readonly written: number;
  readonly kills: number;
  readonly missing: readonly number[];
  readonly repeated: number;
  /** Most records that one kill has made come again. */
  readonly mostRepeated: number;
  readonly foreign: readonly string[];
  /** Lines of a file that came for the first time after a later one of the same file. */
  readonly disordered: number;
  /** Checkpoints that a start has refused. */
  readonly refused: number;
}

const cli = new URL('../../src/cli.ts', import.meta.url).pathname;

/**
 * A writer that rotates, a `portico logs` that is killed at random points, and a store. At the end one that is not killed
 * brings the rest.
 */
export async function crashAgainAndAgain({ kills, seed }: { kills: number; seed: number }): Promise<CrashReport> {
  const random = new Random(seed);
  const folder = mkdtempSync(join(tmpdir(), 'portico-crash-'));
  mkdirSync(join(folder, 'log'));
  const store = await startStore();
  writeFileSync(join(folder, 'logs.yaml'), config(folder, store.port));
  const writer = logWriter(join(folder, 'log/app.log'));
  let rotations = 0;
  let refused = 0;
  let mostRepeated = 0;
  const write = setInterval(() => {
    writer.write(1 + random.below(60));
    if (random.below(40) !== 0) return;
    rotations++;
    writer.rotate(join(folder, `log/app.log.${rotations}`), random.below(20));
    // What is older than the last few would be gone; all of it is shipped by then or this is no test of crashes.
    if (rotations > 60) unlinkSync(join(folder, `log/app.log.${rotations - 60}`));
  }, 5);
  const launch = () => {
    const child = spawn(process.execPath, [cli, 'logs', '-c', join(folder, 'logs.yaml')], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => (said += bytes.toString()));
    const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
    return { child, exited, said: () => said };
  };
  try {
    for (let kill = 0; kill < kills; kill++) {
      const before = store.texts.length;
      const repeatedBefore = judge(store.texts, writer.written).repeated;
      const { child, exited, said } = launch();
      // Once it ships, any time from at once to a few checkpoints later.
      while (store.texts.length === before && child.exitCode === null) await pause(2);
      await pause(random.below(250));
      child.kill('SIGKILL');
      await exited;
      if (said().includes('checkpoint cannot be used')) refused++;
      mostRepeated = Math.max(mostRepeated, judge(store.texts, writer.written).repeated - repeatedBefore);
    }
    clearInterval(write);
    const { child, exited, said } = launch();
    const deadline = Date.now() + 60_000;
    while (judge(store.texts, writer.written).missing.length > 0 && child.exitCode === null && Date.now() < deadline)
      await pause(50);
    child.kill('SIGTERM');
    const code = await exited;
    if (code !== 0) throw new Error(`the last one ended with ${code}: ${said()}`);
    const result = judge(store.texts, writer.written);
    return {
      written: writer.written,
      kills,
      ...result,
      mostRepeated,
      disordered: disorder(store.texts, folder),
      refused,
    };
  } finally {
    clearInterval(write);
    writer.close();
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** First arrivals of one file must be in the order of the file. */
function disorder(texts: readonly string[], folder: string): number {
  const arrival = new Map<number, number>();
  texts.forEach((text, index) => {
    const number = sequenceOf(text);
    if (number !== undefined && !arrival.has(number)) arrival.set(number, index);
  });
  let disordered = 0;
  let last = -1;
  for (const text of readFileSync(join(folder, 'log/app.log'), 'utf8').split('\n')) {
    const number = sequenceOf(text);
    const at = number === undefined ? undefined : arrival.get(number);
    if (at === undefined) continue;
    if (at < last) disordered++;
    last = at;
  }
  return disordered;
}

function config(folder: string, port: number): string {
  return `
admin: { address: 127.0.0.1:0 }
inputs: [{ name: app, paths: ['${folder}/log/app.log*'], parser: { type: none } }]
follow: { poll_interval: 20ms, discover_interval: 50ms }
state: { folder: '${folder}/state', checkpoint_interval: 20ms }
batch: { max_records: 200, max_wait: 20ms }
output: { kind: http, endpoints: ['http://127.0.0.1:${port}/lines'] }
`;
}

/** Takes JSON lines, a little slowly, so that there is a time between sending and acknowledgement. */
async function startStore() {
  const texts: string[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('error', () => {});
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const bytes = Buffer.concat(chunks);
      const body = (request.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes).toString();
      for (const line of body.split('\n'))
        if (line !== '') texts.push((JSON.parse(line) as { message: string }).message);
      setTimeout(() => response.end(), 5);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    texts,
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
