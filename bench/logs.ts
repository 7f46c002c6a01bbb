/**
 * Lines a second of `portico logs` on one core: `node bench/logs.ts [--lines 500000] [--only NAME] [--profile FOLDER]
 * [--flags FLAGS] [--more YAML]`.
 * A file of JSON lines of 200 bytes is there when it starts, and the clock runs until the last line is acknowledged. The sink
 * runs on the other core, reads what it is sent and counts the bytes. CPU is that of all threads of the process, gzip included.
 * The role runs as it does in the image: with a compile cache that is there (without one its first start needs 40 MB more).
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { askAdmin } from '../src/cli/ask-admin.ts';
import { nodeFlags } from '../src/cli/node-flags.ts';

const { values } = parseArgs({
  options: {
    lines: { type: 'string', default: '500000' },
    only: { type: 'string' },
    flags: { type: 'string', default: '' },
    more: { type: 'string', default: '' },
    profile: { type: 'string' },
  },
});
const lines = Number(values.lines);
/** For experiments: flags of Node.js, and options of the role. */
const flags = values.flags.split(' ').filter((flag) => flag !== '');

/** What is asked of the role, as YAML below the input and beside it. */
interface Variant {
  readonly name: string;
  readonly input: string;
  readonly more: string;
  readonly output: (url: string, folder: string) => string;
}

const bare = 'enrich: { pod_fields: none, file_fields: false }';
const overHttp = (url: string) => `output: { kind: http, endpoints: ['${url}'] }`;
const overHttpPlain = (url: string) => `output: { kind: http, endpoints: ['${url}'], compression: none }`;
const toFile = (_: string, folder: string) => `output: { kind: file, path: '${folder}/out.jsonl' }`;
const rules = `rules: [{ action: drop, when: [{ field: path, equals: /healthz }] }]
redact: { fields: [{ path: password }] }`;

const variants: readonly Variant[] = [
  { name: 'none-http', input: 'parser: { type: none }', more: bare, output: overHttp },
  { name: 'none-http-plain', input: 'parser: { type: none }', more: bare, output: overHttpPlain },
  { name: 'none-file', input: 'parser: { type: none }', more: bare, output: toFile },
  { name: 'json-http', input: 'parser: { type: json }', more: bare, output: overHttp },
  { name: 'enriched-http', input: 'parser: { type: json }', more: '', output: overHttp },
  { name: 'enriched-rules-http', input: 'parser: { type: auto }', more: rules, output: overHttp },
  { name: 'enriched-file', input: 'parser: { type: json }', more: '', output: toFile },
].filter(({ name }) => values.only === undefined || name === values.only);

spawnSync('taskset', ['-apc', '1', String(process.pid)]);
console.log(
  `${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.versions.node}, load ${loadavg()[0]?.toFixed(1)}, ${lines} lines`,
);
console.log('variant | lines/s | CPU s | lines per CPU s | RSS peak MB | MB received');
// Fills the compile cache.
if (variants[0] !== undefined) await measure(variants[0], 1000);
for (const variant of variants) console.log(await measure(variant, lines));
process.exit();

async function measure({ name, input, more, output }: Variant, lines: number): Promise<string> {
  let received = 0;
  const sink = createServer((request, response) => {
    request.on('data', (chunk: Buffer) => (received += chunk.length));
    request.on('end', () => response.end());
  });
  await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve));
  const folder = mkdtempSync(join(tmpdir(), 'portico-bench-'));
  writeLog(join(folder, 'app.log'), lines);
  const url = `http://127.0.0.1:${(sink.address() as AddressInfo).port}/`;
  writeFileSync(
    join(folder, 'logs.yaml'),
    `
admin: { address: 127.0.0.1:0 }
inputs: [{ name: app, paths: ['${folder}/app.log'], ${input} }]
state: { folder: '${folder}/state' }
${more}
${values.more}
${output(url, folder)}
`,
  );
  const profiling = values.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${values.profile}`];
  const role = [...nodeFlags, 'src/cli.js', 'logs', '-c', join(folder, 'logs.yaml')];
  const child = spawn('taskset', ['-c', '0', process.execPath, ...profiling, ...flags, ...role], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      ...process.env,
      ...{ MALLOC_ARENA_MAX: '1', NODE_COMPILE_CACHE: join(import.meta.dirname, '../.compile-cache') },
      ...{ POD_NAME: 'shop-6c5b8d9f7-x2x9p', POD_NAMESPACE: 'production' },
      ...{ POD_UID: '2f1f0c5e-6d4e-4b0e-9a35-0d8c1d2a3b4c', POD_IP: '10.2.3.4', NODE_NAME: 'worker-17' },
    },
  });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  try {
    const port = await new Promise<number>((resolve, reject) => {
      let said = '';
      child.stderr.on('data', (chunk: Buffer) => {
        said += chunk.toString();
        const found = /admin 127\.0\.0\.1:(\d+)/.exec(said);
        if (found !== null) resolve(Number(found[1]));
      });
      child.once('exit', () => reject(new Error(`ended: ${said}`)));
    });
    const before = await delivered(port);
    const start = performance.now();
    const cpuBefore = cpuSeconds(child.pid!);
    while ((await delivered(port)) < lines) await new Promise((resolve) => setTimeout(resolve, 50));
    const seconds = (performance.now() - start) / 1000;
    const cpu = cpuSeconds(child.pid!) - cpuBefore;
    const peak = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'latin1'))?.[1]) / 1024;
    const figures = [(lines - before) / seconds, cpu.toFixed(2), (lines - before) / cpu, peak, received / 1e6];
    return [name, ...figures.map((figure) => (typeof figure === 'number' ? Math.round(figure) : figure))].join(' | ');
  } finally {
    child.kill('SIGTERM');
    await exited;
    sink.closeAllConnections();
    sink.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function delivered(port: number): Promise<number> {
  const { body } = await askAdmin({ kind: 'tcp', host: '127.0.0.1', port }, 'GET', '/delivery', 10_000);
  return (JSON.parse(body) as { records: { delivered: number } }).records.delivered;
}

/** Seconds of CPU so far, user and system, of all threads; /proc counts hundredths. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function writeLog(path: string, lines: number): void {
  const levels = ['info', 'debug', 'warn', 'error'];
  let text = '';
  writeFileSync(path, '');
  for (let at = 0; at < lines; at++) {
    const time = new Date(1_764_000_000_000 + at).toISOString();
    const head = `{"time":"${time}","level":"${levels[at % 4]}","msg":"request finished","seq":${at},"path":"/api/orders/${at % 997}","status":200,"took":${at % 300},"req_id":"`;
    text += `${head}${at.toString(16).padStart(200 - head.length - 3, '0')}"}\n`;
    if (text.length < 4_000_000 && at < lines - 1) continue;
    writeFileSync(path, text, { flag: 'a' });
    text = '';
  }
}
