/**
 * Attacks a portico of its own with Debian's slowhttptest, in all four modes, and tells whether it stayed available: by the
 * tool's own probe, and by one of ours that measures. Not part of the tests: it takes minutes.
 *
 *     node test/soak/slowhttptest.ts [connections] [seconds]
 *
 * Ends with 1 when a mode found the service unavailable.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const connections = Number(process.argv[2] ?? 500);
const seconds = Number(process.argv[3] ?? 20);

const modes: readonly { readonly name: string; readonly args: readonly string[]; readonly path: string }[] = [
  { name: 'slow headers', args: ['-H', '-i', '2', '-x', '10'], path: '/' },
  { name: 'slow body', args: ['-B', '-i', '2', '-s', '100000', '-x', '8'], path: '/' },
  { name: 'ranges', args: ['-R', '-a', '5', '-b', '1300'], path: '/big' },
  { name: 'slow read', args: ['-X', '-w', '512', '-y', '1024', '-n', '5', '-z', '32', '-k', '3'], path: '/big' },
];

// On loopback, with its large segments, the kernel buffers megabytes for each reader that does not read: with 10 MiB and 500
// readers it is its own limit (net.ipv4.tcp_mem) that is attacked, and everything on the machine stalls.
const big = Buffer.alloc(1024 * 1024, 'x');
const app = createServer((request, response) => {
  request.resume().on('end', () => response.end(request.url === '/big' ? big : 'ok\n'));
  request.on('error', () => {});
});
await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));

const folder = mkdtempSync(join(tmpdir(), 'portico-soak-'));
writeFileSync(
  join(folder, 'portico.yaml'),
  `
admin: { address: 127.0.0.1:0 }
log: { format: json }
listeners: [{ name: http, address: 127.0.0.1:0 }]
http_filters: [{ name: access-log, config: { path: '${folder}/access.log' } }]
clusters: [{ name: app, endpoints: ['127.0.0.1:${(app.address() as AddressInfo).port}'] }]`,
);
const cli = new URL('../../src/cli.js', import.meta.url).pathname;
const portico = spawn(process.execPath, [cli, 'run', '-c', join(folder, 'portico.yaml')], {
  stdio: ['ignore', 'inherit', 'pipe'],
});
const started = await said(portico, /"http 127\.0\.0\.1:(\d+)"[^]*"admin":"127\.0\.0\.1:(\d+)"/);
const port = Number(started[1]);
const admin = Number(started[2]);

interface Finding {
  readonly mode: string;
  /** The tool's own probe, second by second. */
  readonly available: number;
  readonly unavailable: number;
  /** Ours: the slowest good request and the slowest /ready, in milliseconds, and how many failed. */
  readonly slowestRequest: number;
  readonly slowestReady: number;
  readonly failed: number;
  readonly mostConnections: number;
  /** Resident memory of portico at its highest, in MiB. */
  readonly memory: number;
}

const findings: Finding[] = [];
for (const mode of modes) findings.push(await attack(mode));
console.table(findings);
console.log(tally(readFileSync(join(folder, 'access.log'), 'utf8')));
portico.kill('SIGKILL');
app.closeAllConnections();
app.close();
rmSync(folder, { recursive: true, force: true });
process.exitCode = findings.some(({ unavailable, failed }) => unavailable > 0 || failed > 0) ? 1 : 0;

async function attack({ name, args, path }: (typeof modes)[number]): Promise<Finding> {
  const tool = spawn('slowhttptest', [
    ...args,
    ...['-c', String(connections), '-r', '200', '-l', String(seconds), '-p', '3', '-v', '1'],
    ...['-u', `http://127.0.0.1:${port}${path}`],
  ]);
  let output = '';
  tool.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  tool.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<'ended'>((resolve) => tool.on('exit', () => resolve('ended')));
  let failed = 0;
  let slowestRequest = 0;
  let slowestReady = 0;
  let mostConnections = 0;
  let memory = 0;
  const probe = async () => {
    await timed(port, '/').then(
      ({ milliseconds }) => (slowestRequest = Math.max(slowestRequest, milliseconds)),
      () => failed++,
    );
    try {
      slowestReady = Math.max(slowestReady, (await timed(admin, '/ready')).milliseconds);
      const { body } = await timed(admin, '/metrics');
      mostConnections = Math.max(mostConnections, Number(/^portico_listener_connections\{.*\} (\d+)/m.exec(body)?.[1]));
      memory = Math.max(memory, Number(/^process_resident_memory_bytes (\d+)/m.exec(body)?.[1]));
    } catch {
      failed++;
    }
  };
  for (;;) {
    await probe();
    if ((await Promise.race([ended, pause(300)])) === 'ended') break;
  }
  return {
    mode: name,
    available: output.split(/service available:\S*\s+\S*YES/).length - 1,
    unavailable: output.split(/service available:\S*\s+\S*NO/).length - 1,
    slowestRequest: Math.round(slowestRequest),
    slowestReady: Math.round(slowestReady),
    failed,
    mostConnections,
    memory: Math.round(memory / 2 ** 20),
  };
}

/** How exchanges ended, for a person who wonders what became of the attackers. */
function tally(log: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const line of log.split('\n')) {
    if (line === '') continue;
    const { status, details, flags } = JSON.parse(line) as Record<string, unknown>;
    const key = `${String(status)} ${String(details)} ${String(flags)}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

function timed(at: number, path: string): Promise<{ milliseconds: number; body: string }> {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const request = get({ port: at, host: '127.0.0.1', path, agent: false, timeout: 5000 }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () =>
        response.statusCode === 200
          ? resolve({ milliseconds: performance.now() - began, body })
          : reject(new Error(`status ${response.statusCode}`)),
      );
    });
    request.on('timeout', () => request.destroy(new Error('timeout')));
    request.on('error', reject);
  });
}

function said(child: ChildProcess, pattern: RegExp): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stderr!.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const match = pattern.exec(text);
      if (match !== null) resolve(match);
    });
    child.on('exit', (code) => reject(new Error(`portico ended with ${code}: ${text}`)));
  });
}

function pause(milliseconds: number): Promise<'paused'> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds, 'paused'));
}
