/**
 * How many lines of 200 bytes `portico logs` ships per second of CPU, from a file to a file on the same machine: passed through,
 * and parsed and enriched. `node bench/logs.ts`, or `node bench/logs.ts 500000` for so many lines.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';

const lines = Number(process.argv[2] ?? 300_000);
const cli = new URL('../src/cli.ts', import.meta.url).pathname;

const shared = '"logger":"com.example.orders","thread":"http-nio-8080-exec-7","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"';
const text = Array.from({ length: lines }, (_, index) => {
  const head = `{"time":"2026-01-01T00:00:00.000Z","level":"info","msg":"request ${String(index).padStart(10, '0')}",${shared}`;
  return `${head},"pad":"${'x'.repeat(199 - head.length - 10)}"}`;
}).join('\n');

for (const [what, parser] of [
  ['passed through', 'none'],
  ['JSON parsed and enriched', 'json'],
] as const) {
  const { seconds, cpu, rss } = await ship(parser);
  const rate = (time: number) => `${Math.round(lines / time).toLocaleString('en')} lines/s`;
  console.log(`${what}: ${rate(seconds)}, ${rate(cpu)} of CPU, at most ${Math.round(rss / 1024)} MiB`);
}
console.log(`${lines} lines of 200 B; ${availableParallelism()} cores, load ${loadavg()[0]!.toFixed(1)}`);

async function ship(parser: string): Promise<{ seconds: number; cpu: number; rss: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'portico-bench-'));
  try {
    writeFileSync(join(folder, 'app.log'), `${text}\n`);
    writeFileSync(
      join(folder, 'logs.yaml'),
      `
admin: { address: 127.0.0.1:0 }
inputs: [{ name: app, paths: ['${folder}/app.log'], parser: { type: ${parser} } }]
state: { folder: '${folder}/state' }
output: { kind: file, path: '${folder}/out' }
`,
    );
    const began = performance.now();
    const child = spawn(process.execPath, ['--max-semi-space-size=4', cli, 'logs', '-c', join(folder, 'logs.yaml')], {
      stdio: 'ignore',
    });
    const exited = new Promise((resolve) => child.once('exit', resolve));
    const size = statSync(join(folder, 'app.log')).size;
    let measured = { cpu: 0, rss: 0 };
    // The checkpoint is at the end of the file when all of it is acknowledged.
    while (acknowledged(folder) < size && child.exitCode === null) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      measured = measure(child.pid!) ?? measured;
    }
    const seconds = (performance.now() - began) / 1000;
    child.kill('SIGTERM');
    await exited;
    return { seconds, ...measured };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function acknowledged(folder: string): number {
  try {
    const body = readFileSync(join(folder, 'state/checkpoint.json'), 'utf8').split('\n')[1]!;
    return (JSON.parse(body) as { offset: number }[])[0]?.offset ?? 0;
  } catch {
    return 0;
  }
}

/** Seconds of CPU, and the most memory in KiB. */
function measure(pid: number): { cpu: number; rss: number } | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    const rss = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);
    return { cpu: (Number(fields[11]) + Number(fields[12])) / 100, rss };
  } catch {
    return undefined;
  }
}
