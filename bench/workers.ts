/**
 * What a second worker brings. With two cores there is none left for the load, so that throughput says little: what is told is
 * the CPU time that all processes of Portico need for a request with one worker and with two, and from it how much more two
 * could serve on cores of their own. `node bench/workers.ts [--rounds 5] [--seconds 3]`; needs wrk.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { wrk } from './load.ts';
import { freePort, MeasuredProcess } from './measured-process.ts';
import { median, renderColumns } from './table.ts';
import { nodeFlags } from '../src/cli/node-flags.ts';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '3' } },
});
const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)];
if (!wrk.present()) throw new Error('needs wrk (Debian: wrk)');

const folder = mkdtempSync(join(tmpdir(), 'bench-'));
const appPort = await freePort();
const app = await MeasuredProcess.start([process.execPath, 'bench/servers/app.ts', String(appPort)], {
  cpu: 1,
  port: appPort,
});
const counts = [1, 2];
const running = await Promise.all(counts.map(start));
const results = counts.map(() => ({ cpu: [] as number[], perSecond: [] as number[] }));
try {
  for (let round = -1; round < rounds; round++) {
    for (const [at, { pid, port }] of running.entries()) {
      const before = cpuOf(pid);
      const { requests, failed } = await wrk.load({
        url: `http://127.0.0.1:${port}/`,
        connections: 64,
        seconds,
        post: 0,
        cpu: 1,
        close: false,
      });
      if (failed > 0) throw new Error(`${failed} of ${requests} requests failed`);
      // The first round warms up.
      if (round < 0) continue;
      results[at]!.cpu.push(((cpuOf(pid) - before) / requests) * 1e6);
      results[at]!.perSecond.push(requests / seconds);
    }
  }
} finally {
  for (const { child } of running) child.kill('SIGKILL');
  await app.stop();
  rmSync(folder, { recursive: true });
}
const [one, two] = results.map(({ cpu }) => median(cpu)) as [number, number];
console.log(
  renderColumns(
    ['workers', 'CPU µs/request, all processes', 'requests/s, load beside it'],
    counts.map((count, at) => [
      String(count),
      median(results[at]!.cpu).toFixed(1),
      median(results[at]!.perSecond).toFixed(0),
    ]),
  ),
);
console.log(`\nTwo workers on cores of their own could serve ${((2 * one) / two).toFixed(2)} times what one can.`);

async function start(workers: number) {
  const [port, adminPort] = [await freePort(), await freePort()];
  const file = join(folder, `workers-${workers}.yaml`);
  writeFileSync(
    file,
    `workers: ${workers}
admin: { address: 127.0.0.1:${adminPort} }
log: { level: warn }
listeners: [{ name: http, address: 127.0.0.1:${port} }]
http_filters: []
clusters: [{ name: app, endpoints: [127.0.0.1:${appPort}] }]
`,
  );
  // Both cores: the system spreads the workers.
  const child = spawn(process.execPath, [...nodeFlags, 'src/cli.js', 'run', '-c', file], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const deadline = performance.now() + 15_000;
  while (
    !(await fetch(`http://127.0.0.1:${adminPort}/ready`).then(
      ({ ok }) => ok,
      () => false,
    ))
  ) {
    if (performance.now() > deadline) throw new Error(`${workers} workers are not ready`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { child, pid: child.pid!, port };
}

/** Seconds of CPU of a process and its children. */
function cpuOf(pid: number): number {
  const stat = (id: number | string) => {
    const text = readFileSync(`/proc/${id}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) };
  };
  let ticks = stat(pid).ticks;
  for (const id of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const { parent, ticks: own } = stat(id);
      if (parent === pid) ticks += own;
    } catch {
      // It has ended meanwhile.
    }
  }
  return ticks / 100;
}
