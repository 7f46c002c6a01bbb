import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startApp } from '../support/app.ts';
import { eventually } from '../support/cluster-harness.ts';
import { frontConfig } from '../support/front-config.ts';
import { load, probe, ProbingClient, tally } from '../support/probing-client.ts';
import { runPortico, type PorticoProcess } from '../support/process.ts';
import { startFront } from '../support/resilience.ts';

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'portico-access-log-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

describe('RE54 an access log cannot be forged by a client', () => {
  const rude = 'x"\\ \x1b[2J\x1b[31mred \x9b2J \xff\xc3\xa9 {"status":200}\t';

  it('who sends quotes, colours and eight-bit bytes, over HTTP/1.1 and HTTP/2: a line of JSON a request', async () => {
    const app = await startApp();
    const json = { path: '%REQ(:PATH)%', agent: '%REQ(user-agent)%', x: '%REQ(x-rude)%', status: '%RESPONSE_CODE%' };
    const portico = await startFront([`127.0.0.1:${app.port}`], {
      http_filters: [{ name: 'access-log', config: { path: 'access.log', format: { json } } }],
    });
    const lines = () =>
      readFileSync(join(portico.folder, 'access.log'), 'latin1')
        .split('\n')
        .filter((line) => line !== '');
    const agents = ['"', '\\', '"}\\n{"status":200', '{"a":"b"}', '\xff\xfe\xc3\xa9', '\x80\x85\x9b2J'];
    for (const agent of agents) {
      const { status } = await probe(portico.port(), {
        path: `/%0a%1b[2J?q=%22%0d`,
        headers: [`User-Agent: ${agent}`, `X-Rude: ${agent}`],
      });
      expect([agent, status]).toEqual([agent, 200]);
    }
    const session = http2.connect(`http://127.0.0.1:${portico.port()}`);
    onTestFinished(() => session.destroy());
    for (const agent of ['"', '\\"', '\xff']) {
      const stream = session.request({ ':path': '/%0a"', 'user-agent': agent });
      stream.on('error', () => {}).resume();
      await new Promise<void>((resolve) => stream.once('close', () => resolve()));
    }
    const expected = agents.length + 3;
    await eventually(() => lines().length >= expected, 'all are logged');
    expect(lines()).toHaveLength(expected);
    const parsed = lines().map((line) => {
      // Printable ASCII: no terminal and no line reader sees anything else.
      expect(line).toMatch(/^[ -~]+$/);
      return JSON.parse(line) as Record<string, unknown>;
    });
    agents.forEach((agent, at) => {
      expect(parsed[at]).toEqual({ path: '/%0a%1b[2J?q=%22%0d', agent, x: agent, status: 200 });
    });
  });

  it('who sends control characters: it is refused, and that is one line too', async () => {
    const app = await startApp();
    const portico = await startFront([`127.0.0.1:${app.port}`], {
      http_filters: [{ name: 'access-log', config: { path: 'access.log', format: 'json' } }],
    });
    const lines = () => readFileSync(join(portico.folder, 'access.log'), 'latin1').split('\n').slice(0, -1);
    const attempts = [
      `GET / HTTP/1.1\r\nHost: t\r\nUser-Agent: ${rude}\r\n\r\n`,
      'GET / HTTP/1.1\r\nHost: t\r\nUser-Agent: a\n{"status":200}\r\n\r\n',
      'GET /\x1b[2J HTTP/1.1\r\nHost: t\r\n\r\n',
      'GET /\x80\xff" HTTP/1.1\r\nHost: t\r\n\r\n',
      'GET /\n{"status":200} HTTP/1.1\r\nHost: t\r\n\r\n',
      'G"\x1b[2JT / HTTP/1.1\r\nHost: t\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: t"\x1b[2J\r\n\r\n',
    ];
    for (const raw of attempts) {
      const { outcome, status } = await probe(portico.port(), { raw });
      expect([raw, outcome, status]).toEqual([raw, 'whole', 400]);
    }
    await eventually(() => lines().length >= attempts.length, 'all are logged');
    expect(lines()).toHaveLength(attempts.length);
    for (const line of lines()) {
      expect(line).toMatch(/^[ -~]+$/);
      expect(JSON.parse(line)).toMatchObject({ status: 400 });
    }
    expect(app.requests).toEqual([]);
  });
});

describe('RE49 an access log that cannot be written', () => {
  /** A Portico in a process of its own; the log goes to `path`, or to its standard output. */
  function start(app: number, path: string | undefined): PorticoProcess {
    const folder = temporaryFolder();
    // A long line each, so that no buffer lasts.
    const format = { text: `%REQ(:PATH)% ${'x'.repeat(4000)}` };
    const config = { ...(path === undefined ? {} : { path }), format };
    writeFileSync(
      join(folder, 'portico.yaml'),
      `${frontConfig([`127.0.0.1:${app}`], { http_filters: [{ name: 'access-log', config }] })}drain: { pre_drain_delay: 0s }\n`,
    );
    return runPortico(['run', '-c', join(folder, 'portico.yaml')]);
  }

  async function dropped(admin: string): Promise<number> {
    const page = await (await fetch(`http://${admin}/metrics`)).text();
    const line = page.split('\n').find((one) => one.startsWith('portico_filter_access_log_dropped_total{'));
    return Number(line?.split(' ')[1] ?? 0);
  }

  it.each([
    ['to a pipe that nobody reads', 'pipe'],
    ['to a disk that is full', '/dev/full'],
  ])('%s: every request is answered in time, what is lost is counted', { timeout: 60_000 }, async (_, target) => {
    const app = await startApp((_request, answer) => answer.end('ok'));
    let path = target;
    if (target === 'pipe') execFileSync('mkfifo', [(path = join(temporaryFolder(), 'pipe'))]);
    const portico = start(app.port, path);
    const port = Number(await portico.says(/"http 127\.0\.0\.1:(\d+)"/));
    const admin = await portico.says(/"admin":"(127\.0\.0\.1:\d+)"/);
    await probe(port);
    // 12 MB: more than any pipe and any buffer of ours holds.
    const clients = Array.from({ length: 10 }, async () => {
      const client = new ProbingClient(port);
      const results = [];
      for (let n = 0; n < 300; n++) results.push(await client.send());
      client.close();
      return results;
    });
    const results = (await Promise.all(clients)).flat();
    expect(tally(results)).toEqual({ 200: 3000 });
    expect(Math.max(...results.map(({ milliseconds }) => milliseconds))).toBeLessThan(2000);
    await eventually(async () => (await dropped(admin)) > 0, 'what is lost is counted');
    expect((await fetch(`http://${admin}/ready`)).status).toBe(200);
    expect(portico.child.exitCode).toBeNull();
    portico.child.kill('SIGTERM');
    expect(await portico.exited).toBe(0);
  });

  it('to a standard output whose reader has left: the same', { timeout: 60_000 }, async () => {
    const app = await startApp((_request, answer) => answer.end('ok'));
    const portico = start(app.port, undefined);
    const port = Number(await portico.says(/"http 127\.0\.0\.1:(\d+)"/));
    const admin = await portico.says(/"admin":"(127\.0\.0\.1:\d+)"/);
    portico.child.stdout!.destroy();
    const results = await load(port, { rate: 200, duration: 1500, request: () => ({}) });
    expect(tally(results)).toEqual({ 200: results.length });
    await eventually(async () => (await dropped(admin)) > 0, 'what is lost is counted');
    expect(portico.child.exitCode).toBeNull();
    portico.child.kill('SIGTERM');
    expect(await portico.exited).toBe(0);
  });
});
