/**
 * RE55: everything at once for `PORTICO_SOAK_SECONDS` (60): small and large bodies in both directions, HTTP/1 and HTTP/2,
 * clients that leave, an app that resets, breaks off and dawdles. Memory and descriptors stay, and nothing fails that should not.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import http2 from 'node:http2';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { frontConfig } from '../support/front-config.ts';
import { ProbingClient, type Probe } from '../support/probing-client.ts';
import { claim } from './front.ts';
import { nodeFlags } from '../../src/cli/node-flags.ts';

const MiB = 1024 * 1024;
const seconds = Number(process.env['PORTICO_SOAK_SECONDS'] ?? 60);
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const large = Buffer.alloc(2 * MiB, 'x');

const app = createServer((request, answer) => {
  request.on('error', () => {});
  request.resume().on('end', () => {
    switch (request.url) {
      case '/large':
        return answer.end(large);
      case '/reset':
        return request.socket.resetAndDestroy();
      case '/short':
        answer.writeHead(200, { 'content-length': 1000 });
        answer.write('half', () => request.socket.destroy());
        return;
      case '/slow':
        return setTimeout(() => answer.end('slow'), 200);
      default:
        return answer.end('hello');
    }
  });
});
await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
const folder = mkdtempSync(join(tmpdir(), 'portico-soak-'));
const filters = [
  { name: 'request-id' },
  { name: 'access-log', config: { path: 'access.log' } },
  { name: 'rate-limit', config: { max_tokens: 1_000_000, tokens_per_fill: 1_000_000 } },
];
writeFileSync(
  join(folder, 'portico.yaml'),
  frontConfig([`127.0.0.1:${(app.address() as AddressInfo).port}`], { http_filters: filters }),
);
const cli = new URL('../../src/cli.js', import.meta.url).pathname;
const child = spawn(process.execPath, [...nodeFlags, cli, 'run', '-c', join(folder, 'portico.yaml')], {
  stdio: ['ignore', 'ignore', 'pipe'],
});
let log = '';
const port = await new Promise<number>((resolve) => {
  child.stderr.on('data', (text: Buffer) => {
    log += text.toString();
    const found = /"http 127\.0\.0\.1:(\d+)"/.exec(log);
    if (found !== null) resolve(Number(found[1]));
  });
});
const rss = () => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))![1]) / 1024;
const descriptors = () => readdirSync(`/proc/${child.pid}/fd`).length;

const until = performance.now() + seconds * 1000;
const going = () => performance.now() < until;
const counts: Record<string, number> = {};
const count = (what: string) => (counts[what] = (counts[what] ?? 0) + 1);

/** One kind of request, again and again on a kept connection. */
async function ask(path: string, gap: number, expected: (probe: Probe) => boolean, body = ''): Promise<void> {
  const client = new ProbingClient(port);
  while (going()) {
    const result = await client.send({ method: body === '' ? 'GET' : 'POST', path, body });
    count(
      `${path}${body === '' ? '' : ' upload'} ${expected(result) ? 'as it should be' : `WRONG: ${result.outcome} ${result.status}`}`,
    );
    await pause(gap);
  }
  client.close();
}

async function leave(): Promise<void> {
  while (going()) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write('GET /large HTTP/1.1\r\nHost: app.example\r\n\r\n');
    await new Promise((resolve) => socket.once('data', resolve).once('close', resolve));
    socket.resetAndDestroy();
    count('left');
    await pause(100);
  }
}

async function overHttp2(): Promise<void> {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  session.on('error', () => {});
  for (let n = 0; going(); n++) {
    const stream = session.request({ ':path': n % 20 === 0 ? '/large' : '/' });
    let status = 0;
    stream.on('response', (headers) => (status = Number(headers[':status'])));
    stream.on('error', () => {}).resume();
    await new Promise((resolve) => stream.once('close', resolve));
    count(
      `HTTP/2 ${status === 200 && stream.rstCode === 0 ? 'as it should be' : `WRONG: ${status} ${stream.rstCode}`}`,
    );
    await pause(20);
  }
  session.destroy();
}

const whole = ({ outcome, status }: Probe) => outcome === 'whole' && status === 200;
const samples: { at: number; rss: number }[] = [];
const sampling = setInterval(() => samples.push({ at: performance.now() / 1000, rss: rss() }), 500);
await Promise.all([
  ...Array.from({ length: 8 }, () => ask('/', 10, whole)),
  ask('/', 50, whole, 'x'.repeat(64 * 1024)),
  ask('/', 500, whole, 'x'.repeat(2 * MiB)),
  ask('/large', 200, whole),
  ask('/slow', 10, whole),
  ask('/reset', 200, ({ status }) => status === 502),
  ask('/short', 200, ({ outcome }) => outcome === 'broken'),
  leave(),
  overHttp2(),
  overHttp2(),
]);
clearInterval(sampling);
// Longer than unused connections to the app are kept.
await pause(6000);
for (const [what, number] of Object.entries(counts).sort()) process.stdout.write(`${what}: ${number}\n`);

/** MiB an hour, by the method of least squares. */
function slope(points: readonly { at: number; rss: number }[]): number {
  const mean = (of: (point: { at: number; rss: number }) => number) =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [at, level] = [mean((point) => point.at), mean((point) => point.rss)];
  const up = points.reduce((sum, point) => sum + (point.at - at) * (point.rss - level), 0);
  return (up / points.reduce((sum, point) => sum + (point.at - at) ** 2, 0)) * 3600;
}
const warm = samples.slice(Math.floor(samples.length / 2));
const levels = warm.map((sample) => sample.rss);
const [least, most] = [Math.min(...levels), Math.max(...levels)];
process.stdout.write(
  `resident memory of the second half: ${least.toFixed(1)} to ${most.toFixed(1)} MiB, slope ${slope(warm).toFixed(0)} MiB an hour; ${descriptors()} descriptors at rest\n`,
);
claim('nothing went wrong', !Object.keys(counts).some((what) => what.includes('WRONG')));
claim('memory of the second half stays within 32 MiB', most - least <= 32);
// What a minute says of an hour is mostly noise.
if (seconds >= 3600) claim('memory grows by at most 1 MiB an hour', slope(warm) <= 1);
claim('descriptors are given back', descriptors() <= 40);
child.kill('SIGKILL');
app.closeAllConnections();
rmSync(folder, { recursive: true, force: true });
process.exit();
