/**
 * What `portico metrics` takes for large pages: `node bench/metrics.ts [--series 10000,50000,100000] [--scrapes 8] [--format text|openmetrics]`.
 * The sidecar is a process of its own between an app that answers at once from memory and this scraper; enrichment with three
 * labels and two relabelling rules are on. Time is from the request to the last byte of the page, the app's answer included.
 * Flags and environment are those of the image, its compiled code as well: a first start, which is not measured, makes it.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { freePort } from './measured-process.ts';
import { nodeFlags } from '../src/cli/node-flags.ts';

const { values } = parseArgs({
  options: {
    series: { type: 'string', default: '10000,50000,100000' },
    scrapes: { type: 'string', default: '8' },
    format: { type: 'string', default: 'text' },
  },
});
const scrapes = Number(values.scrapes);
const openMetrics = values.format === 'openmetrics';

console.log(
  `${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.versions.node}, ${openMetrics ? 'OpenMetrics' : 'text format'}`,
);
const compiled = mkdtempSync(join(tmpdir(), 'portico-bench-'));
console.log('series | page in MB | page out MB | first ms | median ms | worst ms | CPU ms | RSS peak MB');
await measure(1);
for (const series of values.series.split(',').map(Number)) console.log(await measure(series));
rmSync(compiled, { recursive: true });

async function measure(series: number): Promise<string> {
  let page = Buffer.alloc(0);
  const app = createServer((_, response) => {
    response.writeHead(200, {
      'content-type': openMetrics ? 'application/openmetrics-text; version=1.0.0' : 'text/plain; version=0.0.4',
      'content-length': page.length,
    });
    response.end(page);
  });
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  const folder = mkdtempSync(join(tmpdir(), 'portico-bench-'));
  const port = await freePort();
  writeFileSync(join(folder, 'metrics.yaml'), configuration(port, (app.address() as AddressInfo).port));
  const sidecar = spawn(process.execPath, [...nodeFlags, 'src/cli.js', 'metrics', '-c', join(folder, 'metrics.yaml')], {
    stdio: ['ignore', 'ignore', 'pipe'],
    // The threads of Node's garbage collector and of zlib share one heap of the C library.
    env: { ...process.env, MALLOC_ARENA_MAX: '1', NODE_COMPILE_CACHE: compiled },
  });
  const told = new Promise((resolve) => sidecar.stderr.once('data', resolve));
  sidecar.stderr.resume();
  try {
    await told;
    const times: number[] = [];
    let out = 0;
    const before = cpuMilliseconds(sidecar.pid!);
    for (let at = 0; at < scrapes; at++) {
      page = Buffer.from(exposition(series, at));
      const started = performance.now();
      out = await scrape(port, series);
      times.push(performance.now() - started);
    }
    const cpu = (cpuMilliseconds(sidecar.pid!) - before) / scrapes;
    const peak = Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${sidecar.pid}/status`, 'utf8'))?.[1]) / 1024;
    const [first, ...rest] = times;
    rest.sort((one, other) => one - other);
    const cells = [series, page.length / 1e6, out / 1e6, first!, rest[rest.length >> 1]!, rest.at(-1)!, cpu, peak];
    return cells.map((cell) => (cell < 50 ? cell.toFixed(1) : cell.toFixed(0))).join(' | ');
  } finally {
    sidecar.kill();
    await new Promise((resolve) => sidecar.once('exit', resolve));
    app.close();
    rmSync(folder, { recursive: true });
  }
}

/** Counters with four labels, each value new in every scrape. */
function exposition(series: number, tick: number): string {
  let text = '';
  const perFamily = 500;
  for (let at = 0; at < series; at++) {
    const family = `app_requests_${Math.floor(at / perFamily)}${openMetrics ? '' : '_total'}`;
    if (at % perFamily === 0) text += `# HELP ${family} Requests of part ${at}.\n# TYPE ${family} counter\n`;
    const name = openMetrics ? `${family}_total` : family;
    text += `${name}{method="GET",code="${200 + (at % 5)}",route="/api/v1/things/{id}/${at % perFamily}",zone="eu-central-1a"} ${at + tick}\n`;
  }
  return openMetrics ? `${text}# EOF\n` : text;
}

function configuration(port: number, app: number): string {
  return `admin: { address: 127.0.0.1:${port} }
targets:
  - name: app
    url: http://127.0.0.1:${app}/metrics
    metric_relabel_configs:
      - { source_labels: [code], regex: '2..', target_label: class, replacement: success }
      - { source_labels: [__name__], regex: 'go_.*', action: drop }
labels: { team: shop, namespace: default, pod: web-5d4f8c7b9-x2x4z }
`;
}

/** Bytes of the page, which must have the series. */
async function scrape(port: number, series: number): Promise<number> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ port, path: '/metrics', headers: openMetrics ? { accept: 'application/openmetrics-text' } : {} }, resolve)
      .on('error', reject)
      .end();
  });
  let bytes = 0;
  let found = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    for (let at = chunk.indexOf('\napp_req'); at >= 0; at = chunk.indexOf('\napp_req', at + 1)) found++;
  }
  // A line may fall between two chunks.
  if (found < series * 0.99 - 1 || bytes < series * 50) throw new Error(`the page has ${found} series of ${series}`);
  return bytes;
}

/** User and system time of a process, from /proc in ticks of 10 ms. */
function cpuMilliseconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
