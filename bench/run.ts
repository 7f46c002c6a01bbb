/**
 * Compares Portico with the app alone and with other proxies, all in one run: `npm run bench -- [--rounds 5] [--seconds 5] [--connections 64]
 * [--tool autocannon|wrk]
 * [--only NAME,NAME] [--workload NAME]`. The proxy has core 0 to itself; the app and the load generator share core 1.
 */
import { mkdtempSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureDevelopmentCertificates } from '../src/cli/development-certificates.ts';
import type { Contender, Protocol, Running } from './contender.ts';
import { contenders } from './contenders.ts';
import { IdleConnections } from './idle-connections.ts';
import { autocannon, h2load, webSocketEcho, wrk, type LoadResult, type LoadTool } from './load.ts';
import { freePort, MeasuredProcess } from './measured-process.ts';
import { checkAnswers } from './check-answers.ts';
import { renderTable, summarise, type Row } from './table.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    connections: { type: 'string', default: '64' },
    tool: { type: 'string', default: 'autocannon' },
    only: { type: 'string' },
    workload: { type: 'string' },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
const connections = Number(values.connections);

interface Workload {
  readonly name: string;
  readonly protocol: Protocol;
  readonly path: string;
  readonly post?: number;
  readonly connections?: number;
  /** Connections that are open besides and say nothing. */
  readonly idle?: number;
  /** A new connection for every request. */
  readonly close?: boolean;
  readonly webSocket?: boolean;
}

const everything: readonly Workload[] = [
  { name: 'GET 113 bytes, HTTP/1.1', protocol: 'http', path: '/' },
  { name: 'GET 113 bytes, HTTP/1.1, 1,000 idle connections besides', protocol: 'http', path: '/', idle: 1000 },
  { name: 'POST 1 KB, HTTP/1.1', protocol: 'http', path: '/', post: 1024 },
  { name: 'GET 100 KB, HTTP/1.1', protocol: 'http', path: '/large' },
  { name: 'GET 10 MB, HTTP/1.1', protocol: 'http', path: '/huge', connections: 8 },
  { name: 'GET 113 bytes, TLS', protocol: 'tls', path: '/' },
  { name: 'GET 113 bytes, TLS, a connection for each', protocol: 'tls', path: '/', close: true },
  { name: 'GET 113 bytes, HTTP/2', protocol: 'http2', path: '/' },
  { name: 'WebSocket echo of 125 bytes', protocol: 'http', path: '/', webSocket: true },
];
const workloads = everything.filter(({ name }) => values.workload === undefined || name.includes(values.workload));

const [proxyCpu, loadCpu] = cpus().length > 1 ? [0, 1] : [0, 0];
const http1Tool: LoadTool = values.tool === 'wrk' ? wrk : autocannon;
const folder = mkdtempSync(join(tmpdir(), 'bench-'));
const certificates = await ensureDevelopmentCertificates(folder);
const appPort = await freePort();
const app = await MeasuredProcess.start([process.execPath, 'bench/servers/app.ts', String(appPort)], {
  cpu: loadCpu,
  port: appPort,
});

console.log(
  `${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} cores, Node ${process.versions.node}, ${rounds} rounds of ${seconds} s, ${connections} connections`,
);
for (const contender of contenders)
  if (!contender.present()) console.log(`missing on this machine, left out: ${contender.name}`);
if (!h2load.present()) console.log('missing on this machine, HTTP/2 left out: h2load');

const started: { contender: Contender; running: Running }[] = [];
try {
  for (const contender of contenders) {
    if (
      !contender.present() ||
      (values.only !== undefined && !values.only.split(',').some((part) => contender.name.includes(part)))
    )
      continue;
    const running = await contender.start({
      appPort,
      cpu: proxyCpu,
      certificate: certificates.certificate,
      key: certificates.key,
    });
    started.push({ contender, running });
    for (const origin of Object.values(running.origins)) await checkAnswers(contender.name, origin);
  }
  for (const workload of workloads) await measure(workload);
} finally {
  for (const { running } of started) await running.process.stop();
  await app.stop();
}

/** Rounds are interleaved, so that whatever disturbs the machine disturbs everybody. */
async function measure(workload: Workload): Promise<void> {
  const tool = workload.webSocket === true ? webSocketEcho : workload.protocol === 'http2' ? h2load : http1Tool;
  if (!tool.present()) return;
  const direct: Running | undefined =
    workload.protocol === 'http' ? { process: app, origins: { http: `http://127.0.0.1:${appPort}` } } : undefined;
  const runners = [
    ...(direct === undefined ? [] : [{ name: 'the app alone', running: direct }]),
    ...started.map((s) => ({ name: s.contender.name, running: s.running })),
  ];
  const failures = new Map<string, string>();
  const rows = new Map<string, { results: LoadResult[]; cpu: number[]; rss: number }>();
  for (let round = 0; round < rounds; round++) {
    for (const { name, running } of runners) {
      const origin = running.origins[workload.protocol];
      if (origin === undefined || failures.has(name)) continue;
      const options = {
        url: origin + workload.path,
        connections: workload.connections ?? connections,
        post: workload.post ?? 0,
        cpu: loadCpu,
        close: workload.close === true,
      };
      if (round === 0) await tool.load({ ...options, seconds: 1 });
      const idle = await IdleConnections.open(origin, workload.idle ?? 0);
      const before = running.process.cpuSeconds();
      const result = await tool.load({ ...options, seconds });
      const used = running.process.cpuSeconds() - before;
      idle.close();
      if (result.failed > 0) {
        // A contender that fails requests has no place in a table of costs, and is said to have failed.
        failures.set(name, `${name}: ${result.failed} of ${result.requests} requests failed; left out`);
        continue;
      }
      const row = rows.get(name) ?? { results: [], cpu: [], rss: 0 };
      row.results.push(result);
      row.cpu.push((used / result.requests) * 1e6);
      row.rss = running.process.rss();
      rows.set(name, row);
    }
  }
  const table: Row[] = [...rows]
    .filter(([name]) => !failures.has(name))
    .map(([name, row]) => summarise(name, row.results, row.cpu, row.rss));
  console.log(`\n${workload.name} (${tool.name})\n${renderTable(table)}`);
  for (const failure of failures.values()) console.log(failure);
}
