// Runs the request cases against Portico, nginx and HAProxy of this machine and writes the results into docs/conformance.md:
//   node test/conformance/compare.ts --date 2026-11-23
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import packageJson from '../../package.json' with { type: 'json' };
import { readCases } from '../../src/conformance/case-file.ts';
import { Recorder } from '../../src/conformance/recorder.ts';
import { summarize } from '../../src/conformance/report.ts';
import { runCases, whyNotForwarding, type CaseResult } from '../../src/conformance/run-cases.ts';

interface Peer {
  readonly name: string;
  readonly version: string;
  readonly command: readonly string[];
}

const root = new URL('../../', import.meta.url).pathname;
const document = `${root}docs/conformance.md`;
const { values } = parseArgs({ options: { date: { type: 'string' }, quiet: { type: 'string', default: '200' } } });
const date = values.date;
if (date === undefined || !/^\d{4}-\d\d-\d\d$/.test(date)) throw new Error('which day is it? Write --date YYYY-MM-DD');

const folder = mkdtempSync(join(tmpdir(), 'portico-compare-'));
const recorder = await Recorder.start();
try {
  const runs: { peer: Peer; results: CaseResult[] }[] = [];
  for (const make of [portico, nginx, haproxy]) {
    const port = await freePort();
    const peer = make(port, recorder.port);
    console.log(`${peer.name} ${peer.version}`);
    runs.push({ peer, results: await examine(peer, port) });
  }
  writeBetweenMarkers(runs);
  spawnSync(`${root}node_modules/.bin/prettier`, ['--write', document]);
  console.log(`wrote ${document}`);
} finally {
  await recorder.stop();
  rmSync(folder, { recursive: true, force: true });
}

function portico(port: number, app: number): Peer {
  const file = join(folder, 'portico.yaml');
  writeFileSync(
    file,
    `admin: { address: 127.0.0.1:0 }\nlisteners: [{ name: http, address: 127.0.0.1:${port} }]\nclusters: [{ name: app, endpoints: ['127.0.0.1:${app}'] }]\n`,
  );
  return {
    name: 'Portico',
    version: packageJson.version,
    command: [process.execPath, `${root}src/cli.js`, 'run', '-c', file],
  };
}

function nginx(port: number, app: number): Peer {
  const file = fillIn('nginx.conf', port, app);
  const version = /nginx\/([\d.]+)/.exec(spawnSync('nginx', ['-v']).stderr.toString())?.[1] ?? '';
  return { name: 'nginx', version, command: ['nginx', '-p', folder, '-c', file] };
}

function haproxy(port: number, app: number): Peer {
  const file = fillIn('haproxy.cfg', port, app);
  const version = /version (\S+)/.exec(spawnSync('haproxy', ['-v']).stdout.toString())?.[1] ?? '';
  return { name: 'HAProxy', version, command: ['haproxy', '-db', '-f', file] };
}

function fillIn(name: string, port: number, app: number): string {
  const file = join(folder, name);
  const text = readFileSync(new URL(`peers/${name}`, import.meta.url), 'utf8');
  writeFileSync(
    file,
    text.replaceAll('FOLDER', folder).replaceAll('PORT', String(port)).replaceAll('APP', String(app)),
  );
  return file;
}

async function examine({ name, command }: Peer, port: number): Promise<CaseResult[]> {
  const process = spawn(command[0]!, command.slice(1), {
    stdio: 'ignore',
    env: { ...globalThis.process.env, PATH: `${globalThis.process.env['PATH']}:/usr/sbin` },
  });
  try {
    const examination = { target: { host: '127.0.0.1', port, tls: false }, recorder, quiet: Number(values.quiet) };
    let why: string | undefined;
    for (let tries = 0; tries < 50; tries++) {
      why = await whyNotForwarding(examination);
      if (why === undefined) break;
      await new Promise((next) => setTimeout(next, 100));
    }
    if (why !== undefined) throw new Error(`${name}: ${why}`);
    return await Array.fromAsync(runCases(readCases('h1-'), examination));
  } finally {
    await stopped(process);
  }
}

async function stopped(process: ChildProcess): Promise<void> {
  if (process.exitCode !== null) return;
  const exited = new Promise((resolve) => process.once('exit', resolve));
  process.kill('SIGKILL');
  await exited;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function writeBetweenMarkers(runs: readonly { peer: Peer; results: CaseResult[] }[]): void {
  const text = readFileSync(document, 'utf8');
  const [start, end] = ['<!-- results: written by test/conformance/compare.ts -->', '<!-- end of results -->'];
  const [before, after] = [text.slice(0, text.indexOf(start)), text.slice(text.indexOf(end))];
  if (!text.includes(start) || !text.includes(end)) throw new Error(`${document} lacks its markers`);
  writeFileSync(document, `${before}${start}\n\n${sections(runs).join('\n')}\n${after}`);
}

function sections(runs: readonly { peer: Peer; results: CaseResult[] }[]): string[] {
  const system = /PRETTY_NAME="(.*)"/.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? '';
  const names = runs.map(({ peer }) => `${peer.name} ${peer.version}`);
  const summaries = runs.map(({ results }) => summarize(results));
  const total = (at: number) =>
    summaries[at]!.reduce(
      (sum, { ok, differs, dangerous }) => [sum[0]! + ok, sum[1]! + differs, sum[2]! + dangerous],
      [0, 0, 0],
    );
  const cell = ([ok, differs, dangerous]: readonly number[]) =>
    `${ok} / ${differs} / ${dangerous === 0 ? 0 : `**${dangerous}**`}`;
  const faults = readCases('h1-').filter((_, at) => runs.some(({ results }) => results[at]!.verdict !== 'ok'));
  return [
    `${date}, ${system}, Node.js ${process.version}. Cases that are ok / differ / are dangerous.`,
    '',
    ...table(
      ['Group', 'Cases', ...names],
      [
        ...summaries[0]!.map(({ group, cases }, row) => [
          group.replace(/ \(.*/, ''),
          String(cases),
          ...summaries.map((summary) => cell([summary[row]!.ok, summary[row]!.differs, summary[row]!.dangerous])),
        ]),
        ['all', String(runs[0]!.results.length), ...runs.map((_, at) => cell(total(at)))],
      ],
    ),
    '',
    '### Dangerous',
    '',
    'What reached the app can be read in two ways.',
    '',
    ...table(
      ['Case', 'Proxy', 'What happened'],
      runs.flatMap(({ peer, results }) =>
        results
          .filter(({ verdict }) => verdict === 'dangerous')
          .map(({ wireCase, reasons }) => [`${wireCase.id} ${wireCase.title}`, peer.name, reasons.join('; ')]),
      ),
    ),
    '',
    '### Every case that is not ok',
    '',
    ...table(
      ['Case', ...runs.map(({ peer }) => peer.name)],
      faults.map((fault) => [
        `${fault.id} ${fault.title}`,
        ...runs.map(({ results }) => {
          const { verdict, reasons } = results.find(({ wireCase }) => wireCase.id === fault.id)!;
          return verdict === 'ok' ? 'ok' : `${verdict === 'dangerous' ? '**dangerous** ' : ''}${reasons.join('; ')}`;
        }),
      ]),
    ),
  ];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.map(inCell).join(' | ')} |`;
  return [line(head), `|${head.map(() => ' --- |').join('')}`, ...rows.map(line)];
}

/** Titles quote bytes, pipes and asterisks. */
function inCell(text: string): string {
  return text
    .replace(/[\x00-\x1f\x7f-\x9f]/g, '·')
    .replace(/\\/g, '\\\\')
    .replace(/[|`<_]/g, '\\$&')
    .replace(/(?<!\*)\*(?!\*)/g, '\\*');
}
