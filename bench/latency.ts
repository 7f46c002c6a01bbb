/**
 * Latency at a rate that leaves everybody air: half of what nginx can do. Percentiles are of all requests of all rounds; what
 * counts is how much more than without a proxy. `node bench/latency.ts [--rounds 5] [--seconds 4]`; needs h2load and nginx.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { ensureDevelopmentCertificates } from '../src/cli/development-certificates.ts';
import { contenders } from './contenders.ts';
import { h2load, wrk } from './load.ts';
import { freePort, MeasuredProcess } from './measured-process.ts';
import { renderColumns } from './table.ts';

const run = promisify(execFile);
const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '4' } },
});
const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)];
const connections = 32;
const [proxyCpu, loadCpu] = cpus().length > 1 ? [0, 1] : [0, 0];
const wanted = ['Portico, filters off', 'Portico, default chain', 'nginx', 'HAProxy', 'Envoy'];

if (!h2load.present() || !wrk.present()) throw new Error('needs wrk and h2load (Debian: wrk nghttp2-client)');
const folder = mkdtempSync(join(tmpdir(), 'bench-'));
const certificates = await ensureDevelopmentCertificates(folder);
const appPort = await freePort();
const app = await MeasuredProcess.start([process.execPath, 'bench/servers/app.ts', String(appPort)], {
  cpu: loadCpu,
  port: appPort,
});
const chosen = contenders.filter((contender) => wanted.includes(contender.name) && contender.present());
const started: { name: string; origin: string; process?: MeasuredProcess }[] = [
  { name: 'the app alone', origin: `http://127.0.0.1:${appPort}` },
];
try {
  for (const contender of chosen) {
    const running = await contender.start({
      appPort,
      cpu: proxyCpu,
      certificate: certificates.certificate,
      key: certificates.key,
    });
    started.push({ name: contender.name, origin: running.origins.http!, process: running.process });
  }
  const nginx = started.find(({ name }) => name === 'nginx');
  if (nginx === undefined) throw new Error('needs nginx (Debian: nginx)');
  // The first load of everybody warms up what compiles while it runs.
  const capacities = new Map<string, number>();
  for (const { name, origin } of started) capacities.set(name, await capacity(origin));
  const rate = Math.floor(capacities.get('nginx')! / 2);
  console.log(
    `${rounds} rounds of ${seconds} s, ${connections} connections, ${rate} requests a second: half of what nginx did here`,
  );
  const latencies = new Map(started.map(({ name }) => [name, [] as number[]]));
  for (let round = 0; round < rounds; round++)
    for (const { name, origin } of started) latencies.get(name)!.push(...(await paced(origin, rate)));
  const alone = percentiles(latencies.get('the app alone')!);
  const rows = [...latencies].map(([name, all]) => {
    const own = percentiles(all);
    return [name, String(all.length), ...own.map(ms), ms(own[1]! - alone[1]!)];
  });
  console.log(renderColumns(['', 'requests', 'p50 ms', 'p99 ms', 'p99.9 ms', 'added p99 ms'], rows));
} finally {
  for (const { process: own } of started) await own?.stop();
  await app.stop();
  rmSync(folder, { recursive: true });
}

async function capacity(origin: string): Promise<number> {
  const { requests, seconds: took } = await wrk.load({
    url: origin,
    connections,
    seconds: 3,
    post: 0,
    cpu: loadCpu,
    close: false,
  });
  return requests / took;
}

/** Milliseconds of each request. */
async function paced(origin: string, rate: number): Promise<number[]> {
  const log = join(folder, 'latencies.tsv');
  await run('taskset', [
    ...['-c', String(loadCpu), 'h2load', '--h1', '-t1', `-c${connections}`, `-D${seconds}`],
    ...[`--rps=${rate / connections}`, `--log-file=${log}`, origin],
  ]);
  const lines = readFileSync(log, 'latin1').trim().split('\n');
  rmSync(log);
  return lines.map((line) => Number(line.split('\t')[2]) / 1000);
}

function percentiles(all: readonly number[]): number[] {
  const sorted = [...all].sort((a, b) => a - b);
  return [0.5, 0.99, 0.999].map((share) => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN);
}

function ms(milliseconds: number): string {
  return milliseconds.toFixed(2);
}
