// Runs h2spec (github.com/summerwind/h2spec) against Portico and judges its failures by the list below.
// Install: go install github.com/summerwind/h2spec/cmd/h2spec@latest
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Recorder } from '../../src/conformance/recorder.ts';
import { loadConfig } from '../../src/config/index.ts';
import { createProcessLog } from '../../src/process-log.ts';
import { Server } from '../../src/server.ts';
import { makeAuthority } from '../support/certificates.ts';

/** Cases that do not pass, each argued in docs/http2.md. */
const exceptions: ReadonlySet<string> = new Set();

interface Result {
  readonly passed: number;
  readonly skipped: number;
  readonly failed: readonly string[];
}

process.exitCode = await main();

async function main(): Promise<number> {
  const h2spec = findH2spec();
  if (h2spec === undefined) {
    console.error('h2spec is not on PATH nor in GOPATH/bin: NOTHING WAS CHECKED');
    console.error('install it: go install github.com/summerwind/h2spec/cmd/h2spec@latest');
    return 1;
  }
  const folder = mkdtempSync(join(tmpdir(), 'portico-h2spec-'));
  const recorder = await Recorder.start();
  // Some cases need an answer that does not fit a small window.
  const content = 'x'.repeat(1000);
  recorder.respond = ({ method }, socket) =>
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n${method === 'HEAD' ? '' : content}`);
  const server = await startServer(folder, recorder.port);
  let unexpected = 0;
  try {
    for (const listener of server.listeners) {
      const address = listener.address();
      if (address.kind !== 'tcp') continue;
      const args = ['-h', '127.0.0.1', '-p', String(address.port), '-S', '-o', '1'];
      const { passed, skipped, failed } = await run(
        h2spec,
        listener.name === 'h2' ? [...args, '-t', '-k'] : args,
        folder,
      );
      const wrong = failed.filter((id) => !exceptions.has(id));
      unexpected += wrong.length;
      console.log(
        `${listener.name.padEnd(5)} ${passed} passed, ${skipped} skipped, ${failed.length} failed: ${failed.join(' ') || 'none'}`,
      );
      for (const id of wrong) console.log(`      ${id} is not among the exceptions of docs/http2.md`);
      for (const id of exceptions)
        if (!failed.includes(id)) console.log(`      ${id} passes and is an exception no more`);
    }
  } finally {
    await server.stop();
    await recorder.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  return unexpected === 0 ? 0 : 1;
}

function findH2spec(): string | undefined {
  const goPath = process.env['GOPATH'] ?? join(homedir(), 'go');
  for (const candidate of ['h2spec', join(goPath, 'bin', 'h2spec')]) {
    if (candidate !== 'h2spec' && !existsSync(candidate)) continue;
    if (spawnSync(candidate, ['--version']).error === undefined) return candidate;
  }
  return undefined;
}

/** h2c with prior knowledge and nothing else, and h2 over TLS. */
async function startServer(folder: string, app: number): Promise<Server> {
  const authority = await makeAuthority();
  const { cert, key } = await authority.issue('localhost');
  writeFileSync(join(folder, 'tls.crt'), cert);
  writeFileSync(join(folder, 'tls.key'), key);
  writeFileSync(
    join(folder, 'portico.yaml'),
    `admin: { address: 127.0.0.1:0 }
listeners:
  - { name: h2c, address: 127.0.0.1:0, protocol: http2 }
  - name: h2
    address: 127.0.0.1:0
    protocol: http2
    tls: { certificates: [{ certificate_chain: tls.crt, private_key: tls.key }] }
http_filters: []
clusters: [{ name: app, endpoints: ['127.0.0.1:${app}'] }]
`,
  );
  const loaded = await loadConfig(join(folder, 'portico.yaml'));
  return Server.start(loaded, { log: createProcessLog({ level: 'off', format: 'pretty' }) });
}

function run(h2spec: string, args: readonly string[], folder: string): Promise<Result> {
  const report = join(folder, 'report.xml');
  return new Promise((resolve, reject) => {
    const child = spawn(h2spec, [...args, '-j', report], { stdio: 'ignore' });
    child.once('error', reject);
    child.once('exit', () => resolve(resultIn(readFileSync(report, 'utf8'))));
  });
}

/** Counts by case, as `http2/5.1/8`: h2spec numbers the cases of a section in their order. */
function resultIn(report: string): Result {
  let passed = 0;
  let skipped = 0;
  const failed: string[] = [];
  for (const [, section, cases] of report.matchAll(/<testsuite [^>]*package="([^"]*)"[^>]*>([\s\S]*?)<\/testsuite>/g)) {
    let number = 0;
    for (const [one] of cases!.matchAll(/<testcase [\s\S]*?(?:\/>|<\/testcase>)/g)) {
      number++;
      if (/<(?:failure|error)/.test(one)) failed.push(`${section}/${number}`);
      else if (one.includes('<skipped')) skipped++;
      else passed++;
    }
  }
  return { passed, skipped, failed };
}
