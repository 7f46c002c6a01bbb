import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import * as v from 'valibot';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import filter from '../../../filters/access-log.ts';
import { shareOf } from '../../../filters/access-log/keep.ts';
import { Headers, noBody, type Exchange, type ResponseFlag } from '../../../src/http/index.ts';
import { makeExchange, startFilter, type ExchangeOptions, type StartedFilter } from '../../support/filter-harness.ts';

type Config = v.InferInput<NonNullable<typeof filter.config>>;

interface Facts {
  status?: number;
  duration?: number;
  flags?: ResponseFlag[];
}

function finished(options: ExchangeOptions = {}, { status = 200, duration = 4.4, flags = [] }: Facts = {}): Exchange {
  const exchange = makeExchange({ now: { time: Date.UTC(2026, 0, 2, 3, 4, 5, 67), monotonic: 0 }, ...options });
  if (status !== 0) exchange.response = { status, headers: new Headers(), body: noBody };
  exchange.duration = duration;
  for (const flag of flags) exchange.addFlag(flag);
  return exchange;
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'portico-access-log-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function start(config: Config): Promise<StartedFilter<{ lines: string; dropped: string }>> {
  const started = await startFilter(filter, config);
  onTestFinished(() => started.close());
  return started;
}

/** The lines that the exchanges leave in a file. */
async function linesOf(config: Config, exchanges: readonly Exchange[]): Promise<string[]> {
  const path = join(temporaryFolder(), 'access.log');
  const { hooks, ...started } = await start({ ...config, path });
  for (const exchange of exchanges) hooks.onLog!(exchange);
  await started.close();
  const written = readFileSync(path, 'latin1');
  expect(written === '' || written.endsWith('\n')).toBe(true);
  return written.split('\n').slice(0, -1);
}

function faults(config: unknown): string[] {
  const result = v.safeParse(filter.config!, config);
  return (result.issues ?? []).map((issue) => `${v.getDotPath(issue)}: ${issue.message}`);
}

describe('access-log lines', () => {
  it('tell as JSON what an operator asks first', async () => {
    const exchange = finished({
      method: 'POST',
      path: '/items?id=7',
      authority: 'shop.test',
      clientAddress: '10.1.2.3',
      headers: { 'user-agent': 'curl/8', 'x-request-id': 'abc', authorization: 'Bearer s3cret', cookie: 'sid=s3cret' },
    });
    exchange.route = { virtualHost: 'app', route: 'items' };
    exchange.upstream = { cluster: 'app', endpoint: '127.0.0.1:8080', attempts: 2, serviceTime: 3, failure: undefined };
    exchange.responseCodeDetails = 'via_upstream';
    exchange.bytesSent = 113;
    exchange.request.path = '/v2/items?id=7';
    const [line, ...others] = await linesOf({}, [exchange]);
    expect(others).toEqual([]);
    expect(line).not.toContain('s3cret');
    expect(JSON.parse(line!)).toEqual({
      time: '2026-01-02T03:04:05.067Z',
      method: 'POST',
      authority: 'shop.test',
      path: '/items?id=7',
      protocol: 'HTTP/1.1',
      status: 200,
      flags: null,
      details: 'via_upstream',
      bytes_received: 0,
      bytes_sent: 113,
      duration: 4,
      route: 'items',
      upstream_cluster: 'app',
      upstream_host: '127.0.0.1:8080',
      upstream_attempts: 2,
      upstream_service_time: 3,
      upstream_failure: null,
      client_address: '10.1.2.3',
      user_agent: 'curl/8',
      request_id: 'abc',
    });
  });

  it('tell as text what Envoy tells', async () => {
    const exchange = finished(
      { path: '/p', headers: { 'user-agent': 'curl/8' } },
      { flags: ['UF', 'URX'], status: 503 },
    );
    expect(await linesOf({ format: 'text' }, [exchange])).toEqual([
      '[2026-01-02T03:04:05.067Z] "GET /p HTTP/1.1" 503 UF,URX 0 0 4 - "-" "curl/8" "-" "portico.test" "-"',
    ]);
  });

  it.each<[string, Config['format'], string]>([
    [
      'as JSON',
      { json: { s: '%RESPONSE_CODE%', a: { b: ['%REQ(:METHOD)% %REQ(x)%'] } } },
      '{"s":200,"a":{"b":["GET -"]}}',
    ],
    ['as text', { text: '%RESPONSE_CODE% %REQ(:METHOD)%' }, '200 GET'],
    ['as text with a line end of its own', { text: '%RESPONSE_CODE%\n' }, '200'],
  ])('may have a format of their own %s', async (_, format, expected) => {
    expect(await linesOf({ format }, [finished()])).toEqual([expected]);
  });

  it('hide query parameters', async () => {
    const exchange = finished({ path: '/cb?code=s3cret&state=1', headers: { referer: 'https://a/?code=s3cret' } });
    const format = { text: '%REQ(:PATH)% %REQ(referer)%' };
    expect(await linesOf({ format, redact_query: ['code'] }, [exchange])).toEqual([
      '/cb?code=***&state=1 https://a/?code=***',
    ]);
  });

  describe.each(['json', 'text'] as const)('cannot be forged, as %s', (format) => {
    it.each([
      ['a line end', 'x\r\n{"status":200}'],
      ['a quote', 'x" 200 "'],
      ['a backslash', 'x\\'],
      ['colours', '\x1b[2J\x1b[31mred'],
      ['eight-bit control characters', '\x9b2J\x85\x80\xff'],
      ['NUL and DEL', 'a\0b\x7f'],
      ['line separators', 'a\u2028b\u2029'],
    ])('by %s', async (_, rude) => {
      const exchange = finished({
        path: `/${rude}`,
        authority: rude,
        headers: { 'user-agent': rude, 'x-request-id': rude },
      });
      const lines = await linesOf({ format }, [exchange, finished()]);
      expect(lines).toHaveLength(2);
      expect(lines[0]).toMatch(/^[ -~]+$/);
      if (format === 'json') expect(JSON.parse(lines[0]!)).toMatchObject({ path: `/${rude}`, user_agent: rude });
      // As many quotes as in an honest line: none that a client wrote stands without a backslash.
      else expect(lines[0]!.replace(/\\./g, '').match(/"/g)).toHaveLength(12);
    });
  });

  it.each<[unknown, string]>([
    [{ format: { text: '%RESPONSE_COD%' } }, 'format: unknown operator %RESPONSE_COD%; did you mean %RESPONSE_CODE%?'],
    [{ format: { json: { a: { b: '%REQ%' } } } }, 'format: a.b: operator %REQ% needs an argument: %REQ(X?Y):Z%'],
    [{ format: { text: 'a\nb' } }, 'format: has a line end within; a request is one line'],
    [{ format: 'xml' }, 'format: must be json, text, {json: {key: "%OPERATOR%"}} or {text: "…"}'],
    [{ filter: { sampling: 101 } }, 'filter.sampling: must be a percentage from 0 to 100'],
    [{ path: '' }, 'path: '],
  ])('are refused at load: %j', (config, message) => {
    expect(faults(config)).toEqual([expect.stringContaining(message)]);
  });
});

describe('access-log filter', () => {
  const slow: Facts = { duration: 1500 };
  const failed: Facts = { status: 503, flags: ['UF'] };
  const gone: Facts = { status: 0, flags: ['DC'] };
  it.each<[string, Config['filter'], Facts & { path?: string }, boolean]>([
    ['everything by default', {}, {}, true],
    ['a status within', { status_code: [{ min: 500 }] }, failed, true],
    ['a status at the edge', { status_code: [{ min: 503, max: 503 }] }, failed, true],
    ['a status outside', { status_code: [{ min: 400, max: 499 }] }, failed, false],
    ['a status of one of several', { status_code: [{ max: 199 }, { min: 503 }] }, failed, true],
    ['no status', { status_code: [{ max: 0 }] }, gone, true],
    ['a slow one', { min_duration: '1500ms' }, slow, true],
    ['a fast one', { min_duration: '1501ms' }, slow, false],
    ['a flag', { response_flags: ['URX', 'UF'] }, failed, true],
    ['another flag', { response_flags: ['URX'] }, failed, false],
    ['any flag', { response_flags: ['*'] }, gone, true],
    ['no flag', { response_flags: ['*'] }, slow, false],
    ['a path', { not_paths: ['/healthz'] }, { path: '/healthz?x=1' }, false],
    ['a path below', { not_paths: ['/healthz'] }, { path: '/healthz/x' }, true],
    ['a prefix', { not_paths: ['/static/*'] }, { path: '/static/a.css' }, false],
    ['all true', { status_code: [{ min: 500 }], response_flags: ['UF'] }, failed, true],
    ['one false', { status_code: [{ min: 500 }], response_flags: ['UT'] }, failed, false],
    ['one of any true', { any: [{ status_code: [{ min: 500 }] }, { sampling: 0 }] }, failed, true],
    ['none of any true', { any: [{ status_code: [{ min: 500 }] }, { sampling: 0 }] }, slow, false],
    ['any true, but not the rest', { not_paths: ['/'], any: [{ status_code: [{ min: 500 }] }] }, failed, false],
    ['sampling 0', { sampling: 0 }, {}, false],
  ])('takes or leaves %s', async (_, config, { path = '/', ...facts }, logged) => {
    expect(await linesOf({ filter: config }, [finished({ path }, facts)])).toHaveLength(logged ? 1 : 0);
  });

  it('samples by request id: the same ones everywhere, and about as many as asked for', async () => {
    const exchanges = Array.from({ length: 10_000 }, (_, n) =>
      finished({ headers: { 'x-request-id': `request-${n}` } }),
    );
    const format = { text: '%REQ(x-request-id)%' };
    const first = await linesOf({ format, filter: { sampling: 10 } }, exchanges);
    const second = await linesOf({ format, filter: { sampling: 10 } }, exchanges);
    const more = await linesOf({ format, filter: { sampling: 20 } }, exchanges);
    expect(first.length).toBeGreaterThan(800);
    expect(first.length).toBeLessThan(1200);
    expect(second).toEqual(first);
    expect(more).toEqual(expect.arrayContaining(first));
  });

  it('spreads ids that differ little', () => {
    const shares = Array.from({ length: 1000 }, (_, n) =>
      shareOf(`00000000-0000-4000-8000-${String(n).padStart(12, '0')}`),
    );
    for (let tenth = 0; tenth < 10; tenth++) {
      const inside = shares.filter((share) => share >= tenth / 10 && share < (tenth + 1) / 10).length;
      expect(inside).toBeGreaterThan(60);
      expect(inside).toBeLessThan(140);
    }
  });
});

describe('access-log files', () => {
  it('have a line within a second, without being closed', async () => {
    const path = join(temporaryFolder(), 'access.log');
    const { hooks } = await start({ path, format: { text: '%RESPONSE_CODE%' } });
    hooks.onLog!(finished());
    await vi.waitFor(() => expect(readFileSync(path, 'utf8')).toBe('200\n'), { timeout: 1000, interval: 20 });
  });

  it('are appended to', async () => {
    const path = join(temporaryFolder(), 'access.log');
    for (let run = 0; run < 2; run++) {
      const { hooks, ...started } = await start({ path, format: { text: `run ${run}` } });
      hooks.onLog!(finished());
      await started.close();
    }
    expect(readFileSync(path, 'utf8')).toBe('run 0\nrun 1\n');
  });

  it('are shared by all who write to them, also by an old and a new configuration', async () => {
    const path = join(temporaryFolder(), 'access.log');
    const old = await start({ path, format: { text: 'old' } });
    old.hooks.onLog!(finished());
    const young = await start({ path, format: { text: 'young' } });
    young.hooks.onLog!(finished());
    old.hooks.onLog!(finished());
    await old.close();
    young.hooks.onLog!(finished());
    await young.close();
    expect(readFileSync(path, 'utf8')).toBe('old\nyoung\nold\nyoung\n');
  });

  it('are made anew when they were moved away', async () => {
    const path = join(temporaryFolder(), 'access.log');
    const { hooks, ...started } = await start({ path, format: { text: '%REQ(:PATH)%' } });
    hooks.onLog!(finished({ path: '/1' }));
    await vi.waitFor(() => expect(readFileSync(path, 'utf8')).toBe('/1\n'), { timeout: 1000, interval: 20 });
    renameSync(path, `${path}.1`);
    await vi.waitFor(() => expect(existsSync(path)).toBe(true), { timeout: 3000, interval: 20 });
    hooks.onLog!(finished({ path: '/2' }));
    await started.close();
    expect(readFileSync(`${path}.1`, 'utf8')).toBe('/1\n');
    expect(readFileSync(path, 'utf8')).toBe('/2\n');
  });

  it('keep every line of a burst, whole and in order', async () => {
    const path = join(temporaryFolder(), 'access.log');
    const { hooks, stats, ...started } = await start({ path, format: { text: '%REQ(:PATH)%' } });
    const paths = Array.from({ length: 20_000 }, (_, n) => `/${n}`.padEnd((n % 90) + 8, 'x'));
    for (const one of paths) hooks.onLog!(finished({ path: one }));
    hooks.onLog!(finished({ path: `/${'y'.repeat(50_000)}` }));
    await started.close();
    expect(stats).toEqual({ lines: 20_001, dropped: 0 });
    const lines = readFileSync(path, 'utf8').split('\n');
    expect(lines.slice(0, 20_000)).toEqual(paths);
    expect(lines[20_000]).toHaveLength(50_001);
  });

  it('that cannot be opened are a fault at load that names them', async () => {
    const folder = temporaryFolder();
    await expect(startFilter(filter, { path: folder })).rejects.toThrow(
      `the access log cannot be written to ${folder}: EISDIR`,
    );
    const nowhere = join(folder, 'none', 'access.log');
    await expect(startFilter(filter, { path: nowhere })).rejects.toThrow(
      `the access log cannot be written to ${nowhere}: ENOENT`,
    );
  });

  it('may be a pipe that nobody reads: nothing waits, what does not fit is counted', async () => {
    const path = join(temporaryFolder(), 'pipe');
    execFileSync('mkfifo', [path]);
    const { hooks, stats, ...started } = await start({ path, format: { text: '%REQ(:PATH)%' } });
    const exchange = finished({ path: `/${'x'.repeat(998)}` });
    const before = performance.now();
    for (let n = 0; n < 10_000; n++) hooks.onLog!(exchange);
    expect(performance.now() - before).toBeLessThan(500);
    // 10 MB: more than may wait.
    expect(stats.dropped).toBeGreaterThan(1000);

    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    onTestFinished(() => closeSync(reader));
    const buffer = Buffer.alloc(1024 * 1024);
    let read = '';
    const readOn = () => {
      try {
        read += buffer.toString('latin1', 0, readSync(reader, buffer));
      } catch {
        // Nothing there at the moment.
      }
      expect(read.length / 1000).toBe(10_000 - stats.dropped);
    };
    await vi.waitFor(readOn, { timeout: 10_000, interval: 1 });
    expect(read.split('\n').every((line) => line === '' || line.length === 999)).toBe(true);

    const dropped = stats.dropped;
    hooks.onLog!(exchange);
    await started.close();
    expect(stats).toEqual({ lines: 10_001, dropped });
  });

  it('may be on a disk that is full: what cannot be written is counted, and told once', async () => {
    const { hooks, stats, log, ...started } = await start({ path: '/dev/full' });
    for (let n = 0; n < 100; n++) hooks.onLog!(finished());
    await started.close();
    expect(stats).toEqual({ lines: 100, dropped: 100 });
    expect(log.filter(({ message }) => message === 'the access log cannot be written')).toHaveLength(1);
  });
});

describe('access-log on standard output', () => {
  const lines = 14_000;
  const script = join(import.meta.dirname, '../../support/access-log-child.ts');

  interface Told {
    readonly longestPause: number;
    readonly threadPool: number;
    readonly dropped: number;
    readonly warnings: readonly string[];
  }

  /** Runs the child with a shell behind its standard output, and tells what it said, once it has ended by itself. */
  async function run(ending: string, shell: string, count = lines): Promise<Told> {
    const child = spawn('sh', ['-c', `"$0" "$1" ${count} ${ending} ${shell}`, process.execPath, script], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    return told(child);
  }

  async function told(child: ChildProcess): Promise<Told> {
    onTestFinished(() => void child.kill('SIGKILL'));
    const [said, code] = await Promise.all([text(child.stderr!), new Promise((resolve) => child.on('exit', resolve))]);
    expect(code).toBe(0);
    return JSON.parse(said) as Told;
  }

  it('writes all of them', async () => {
    const output = join(temporaryFolder(), 'out');
    expect(await run('close', `| cat > ${output}`)).toMatchObject({ lines, dropped: 0, warnings: [] });
    const written = readFileSync(output, 'utf8').split('\n').slice(0, -1);
    expect(written.map((line) => (JSON.parse(line) as { path: string }).path)).toEqual(
      Array.from({ length: lines }, (_, n) => `/${n}`),
    );
  });

  it.each([
    ['a pipe', '| cat >'],
    ['a file', '>'],
  ])('loses none when a busy proxy has much to say in every round of the event loop, to %s', async (_name, shell) => {
    const output = join(temporaryFolder(), 'out');
    const count = 2 * lines;
    expect(await run('close busy', `${shell} ${output}`, count)).toMatchObject({ dropped: 0, warnings: [] });
    expect(readFileSync(output, 'utf8').split('\n')).toHaveLength(count + 1);
  });

  it.each(['exit', 'natural'])(
    'writes all of them, also when the process ends without closing it (%s)',
    async (ending) => {
      const output = join(temporaryFolder(), 'out');
      await run(ending, `> ${output}`);
      expect(readFileSync(output, 'utf8').split('\n')).toHaveLength(lines + 1);
    },
  );

  it.each(['close', 'exit', 'natural'])(
    'that nobody reads holds up neither requests nor the end (%s)',
    async (ending) => {
      const path = join(temporaryFolder(), 'pipe');
      execFileSync('mkfifo', [path]);
      // Open for reading, too, and never read from.
      const pipe = openSync(path, constants.O_RDWR);
      onTestFinished(() => closeSync(pipe));
      const result = await told(
        spawn(process.execPath, [script, String(lines), ending], { stdio: ['ignore', pipe, 'pipe'] }),
      );
      expect(result.dropped).toBeGreaterThan(1000);
      expect(result.longestPause).toBeLessThan(500);
      expect(result.threadPool).toBeLessThan(500);
      expect(result.warnings).not.toContain('the access log cannot be written');
    },
  );

  it.each(['close', 'exit'])(
    'that is a socket nobody reads holds up neither requests nor the end (%s)',
    async (ending) => {
      const child = spawn(process.execPath, [script, String(lines), ending], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const result = await told(child);
      expect(result.dropped).toBeGreaterThan(1000);
      expect(result.longestPause).toBeLessThan(500);
    },
  );

  it.each(['close', 'exit', 'natural'])('whose reader has left costs nothing but the lines (%s)', async (ending) => {
    const result = await run(ending, '| true');
    expect(result.dropped).toBeGreaterThan(lines - 100);
    expect(result.warnings).toEqual(['the access log cannot be written']);
  });

  it.each(['close', 'exit'])('on a full disk does not keep the process from ending (%s)', async (ending) => {
    const result = await run(ending, '> /dev/full');
    expect(result.dropped).toBeGreaterThan(1000);
    expect(result.warnings).toContain('the access log cannot be written');
  });
});
