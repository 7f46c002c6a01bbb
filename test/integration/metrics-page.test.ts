import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { protobufType } from '../../src/metrics/exposition/negotiate.ts';
import { scrapeFailures } from '../../src/metrics/scrape-refused.ts';
import { makeAuthority } from '../support/certificates.ts';
import { nativeHistogram } from '../support/native-histogram.ts';
import { parseAll } from '../support/parse-exposition.ts';
import { metricsApp, openMetrics, sends, startMetrics } from '../support/metrics-role.ts';

const accepted = { accept: 'application/openmetrics-text;version=1.0.0' };
const promtool = spawnSync('promtool', ['--version']).status === 0;
if (!promtool) console.warn('What promtool says is not tested: it is not installed');

/** The families of the page by name; fails for a page that is not good in every respect. */
function understood(body: string, format: 'text' | 'openmetrics' = 'text') {
  const { families } = parseAll(format, body, { invalidLines: 'refuse' });
  return new Map(families.map((family) => [family.name, family]));
}

async function sidecar(page: string, more = '') {
  const app = await metricsApp(page);
  return startMetrics(`targets: [{ name: app, url: '${app.url}' ${more} }]`);
}

describe('the page (PM01: enrichment)', () => {
  const page =
    '# HELP z_total x \\\\ \\n "q"\n# TYPE z_total counter\nz_total{pod="mine",v="\\\\ \\" \\n"} 1\n# HELP a y\n# TYPE a gauge\na 2\n';

  it('has the families of the app in their order, with labels added', async () => {
    const { lines } = await sidecar(page, ', labels: { pod: web-1, team: "a\\"b\\\\c\\nd" }');
    expect(await lines()).toBe(
      '# HELP z_total x \\\\ \\n "q"\n# TYPE z_total counter\nz_total{v="\\\\ \\" \\n",exported_pod="mine",pod="web-1",team="a\\"b\\\\c\\nd"} 1\n' +
        '# HELP a y\n# TYPE a gauge\na{pod="web-1",team="a\\"b\\\\c\\nd"} 2\n',
    );
  });

  it.each([
    ['keep', 'z_total{pod="mine",'],
    ['override', 'z_total{pod="web-1",'],
  ])('does with a label of the same name what label_clash says: %s', async (clash, expected) => {
    const { get } = await sidecar(page, `, labels: { pod: web-1 }, label_clash: ${clash}`);
    const { body } = await get();
    expect(body).toContain(expected);
    understood(body);
  });
});

describe('labels of the pod', () => {
  it('come from the downward API, and follow it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'portico-pod-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'labels'), 'app="shop"\nversion="1"\n');
    const app = await metricsApp('a 1\n');
    vi.stubEnv('TEST_POD_NAME', 'web-1');
    onTestFinished(() => void vi.unstubAllEnvs());
    const { lines, get } = await startMetrics(
      `targets: [{ name: app, url: '${app.url}' }]\npod: { name_variable: TEST_POD_NAME, namespace_variable: TEST_NOT_SET, labels_file: '${folder}/labels', poll_interval: 50ms }\npod_labels: { pod: name, namespace: namespace, version: labels.version }`,
    );
    expect(await lines()).toBe('# TYPE a untyped\na{pod="web-1",version="1"} 1\n');
    expect((await get()).body).toMatch(/^up\{target="app",.*,pod="web-1",version="1"\} 1$/m);
    writeFileSync(join(folder, 'labels.new'), 'app="shop"\nversion="2"\n');
    renameSync(join(folder, 'labels.new'), join(folder, 'labels'));
    await vi.waitFor(async () => expect(await lines()).toContain('a{pod="web-1",version="2"} 1'), 10_000);
  });
});

describe('the page (PM02: every way to write it)', () => {
  it('passes numbers and names as they are written', async () => {
    const tokens = ['+Inf', 'NaN', '-0', '1e-320', '9223372036854775808', '0.10'];
    const page = tokens
      .map((token, at) => `a{b="${at}",}\t${token}\t1395066363000\r\n`)
      .join('')
      .trimEnd();
    const { lines } = await sidecar(`\ufeff${page}`);
    const expected = tokens.map((token, at) => `a{b="${at}"} ${token} 1395066363000\n`).join('');
    expect(await lines()).toBe(`# TYPE a untyped\n${expected}`);
  });

  it('takes an empty page for what it is', async () => {
    const { lines, value } = await sidecar('');
    expect(await lines()).toBe('');
    expect(await value('up{')).toBe('1');
  });
});

describe('the page (PM03: an invalid line)', () => {
  const page = '# TYPE a gauge\na{x="1"} 1\na{x=2} 2\na{x="3"} 3\n';

  it('leaves it out and counts it', async () => {
    const { get } = await sidecar(page);
    const { body, status } = await get();
    expect(status).toBe(200);
    expect(
      understood(body)
        .get('a')
        ?.samples.map(({ value }) => value),
    ).toEqual(['1', '3']);
    expect(body).toMatch(/^portico_scrape_invalid_lines_total\{target="app",.*\} 1$/m);
  });

  it('takes nothing of the app when it shall be refused', async () => {
    const { get } = await sidecar(page, ', invalid_lines: refuse');
    const { body, status } = await get();
    expect(status).toBe(200);
    expect(understood(body).has('a')).toBe(false);
    expect(body).toMatch(/^up\{target="app",.*\} 0$/m);
    expect(body).toMatch(/^portico_scrape_failures_total\{target="app",reason="invalid",.*\} 1$/m);
  });

  it('takes nothing of OpenMetrics that was cut off', async () => {
    const app = await metricsApp(sends('# TYPE a gauge\na 1\n', openMetrics));
    const { get } = await startMetrics(`targets: [{ name: app, url: '${app.url}' }]`);
    expect(understood((await get()).body).has('a')).toBe(false);
  });
});

describe('the page (PM04: the app has the names of the sidecar)', () => {
  const page =
    '# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total 1\n# TYPE up counter\nup 1\n' +
    '# HELP portico_build_info x\n# TYPE portico_build_info gauge\nportico_build_info{version="0"} 1\n';

  it('has each family once and nothing of the app is lost', async () => {
    const { get } = await sidecar(page);
    const { body } = await get();
    const families = understood(body);
    expect(families.get('process_cpu_seconds_total')?.samples).toHaveLength(1);
    expect(families.get('portico_process_cpu_seconds_total')?.samples).toHaveLength(1);
    expect(families.get('portico_build_info')?.samples).toHaveLength(2);
    expect(body.match(/^# TYPE portico_build_info /gm)).toHaveLength(1);
    // The type differs: what comes second is left out.
    expect(families.get('up')?.type).toBe('counter');
    expect(Number(/^portico_page_conflicting_samples_total\S* (\d+)$/m.exec((await get()).body)?.[1])).toBeGreaterThan(
      0,
    );
  });

  it.skipIf(!promtool)('passes promtool check metrics (skipped where it is not installed)', async () => {
    const { get } = await sidecar(
      '# HELP a_total x\n# TYPE a_total counter\na_total{b="c"} 1\n# HELP h_seconds x\n# TYPE h_seconds histogram\nh_seconds_bucket{le="1"} 1\nh_seconds_bucket{le="+Inf"} 2\nh_seconds_sum 3\nh_seconds_count 2\n',
    );
    await get();
    expect(
      execFileSync('promtool', ['check', 'metrics'], { input: (await get()).body, stdio: 'pipe' }).toString(),
    ).toBe('');
  });
});

describe('the page (PM05: the format that was asked for)', () => {
  const page = '# TYPE a_total counter\na_total 1 1500\n# TYPE c counter\nc 2\n# TYPE "x.y" gauge\n{"x.y"} 3\n';

  it('is OpenMetrics, with its end once and counters with _total', async () => {
    const { get } = await sidecar(page);
    const { body, type } = await get(accepted);
    expect(type).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
    expect(body.match(/^# EOF$/gm)).toHaveLength(1);
    expect(body.endsWith('# EOF\n')).toBe(true);
    expect(body).toContain('# TYPE a counter\na_total 1 1.5\n# TYPE c counter\nc_total 2\n# TYPE x_y gauge\nx_y 3\n');
    understood(body, 'openmetrics');
  });

  it('is the text format for who does not say, or asks for what there is not', async () => {
    const { get } = await sidecar(page);
    for (const accept of [
      'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text',
      '*/*',
    ]) {
      const { body, type } = await get({ accept });
      expect(type).toBe('text/plain; version=0.0.4; charset=utf-8');
      expect(body).toContain('a_total 1 1500\n');
      expect(body).toContain('x_y 3\n');
      understood(body);
    }
  });

  it('is protobuf for who prefers it', async () => {
    const { port } = await sidecar(page);
    const accept = 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited';
    const response = await fetch(`http://127.0.0.1:${port}/metrics`, {
      headers: { accept: `${accept},text/plain;q=0.5` },
    });
    expect(response.headers.get('content-type')).toBe(accept.replaceAll(';', '; '));
    expect(Buffer.from(await response.arrayBuffer()).includes('a_total')).toBe(true);
  });

  it('has UTF-8 names for who asks for them', async () => {
    const { get } = await sidecar(page);
    const { body, type } = await get({ accept: 'text/plain;version=1.0.0;escaping=allow-utf-8' });
    expect(type).toBe('text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8');
    expect(body).toContain('# TYPE "x.y" gauge\n{"x.y"} 3\n');
  });

  it('passes exemplars and units from OpenMetrics to OpenMetrics, and has none in the text format', async () => {
    const text = '# TYPE a_seconds counter\n# UNIT a_seconds seconds\na_seconds_total 1 # {trace="x"} 0.5 1.5\n';
    const app = await metricsApp(sends(`${text}# EOF\n`, openMetrics));
    const { get } = await startMetrics(`targets: [{ name: app, url: '${app.url}' }]`);
    expect((await get(accepted)).body).toContain(text);
    expect((await get()).body).toContain('# TYPE a_seconds_total counter\na_seconds_total 1\n');
  });

  it('is compressed for who takes gzip', async () => {
    const { get } = await sidecar(page);
    const { headers, body } = await get({ 'accept-encoding': 'gzip' });
    expect(headers.get('content-encoding')).toBe('gzip');
    expect(headers.get('vary')).toBe('accept, accept-encoding');
    understood(body);
  });
});

describe('native histograms', () => {
  it('are classic ones for who does not ask for protobuf, which is counted', async () => {
    const { message, histogram } = nativeHistogram('latency_seconds', ['method', 'GET']);
    const type = `${protobufType}; proto=io.prometheus.client.MetricFamily; encoding=delimited`;
    const app = await metricsApp(sends(message, { 'content-type': type }));
    const { get } = await startMetrics(`targets: [{ name: app, url: '${app.url}', format: protobuf }]`);
    const reduced = async () => /^portico_page_reduced_histograms_total\{.*\} (\d+)$/m.exec((await get()).body)?.[1];

    const asked = await get({ accept: type });
    expect(asked.type).toBe(type);
    expect(asked.body).toContain('latency_seconds');
    expect(asked.body).toContain(histogram.subarray(-4).toString());
    expect(await reduced()).toBe('0');
    const { body } = await get(accepted);
    expect(body).toContain('latency_seconds_bucket{method="GET",le="+Inf"} 5');
    // That of the text page before, and of this one.
    expect(await reduced()).toBe('2');
  });
});

describe('the page (PM06: an app that does not do well)', () => {
  /** The page must be good, say `up 0`, and have nothing of the app. */
  async function expectFailure(yaml: string, reason: string, headers = {}) {
    const { get } = await startMetrics(yaml);
    const started = performance.now();
    const { status, body } = await get(headers);
    expect(status).toBe(200);
    expect(understood(body).has('a')).toBe(false);
    expect(body).toMatch(/^up\{target="app",instance="127\.0\.0\.1:\d+",portico_role="metrics"\} 0$/m);
    expect(body).toMatch(new RegExp(`^portico_scrape_failures_total\\{target="app",reason="${reason}",.*\\} 1$`, 'm'));
    return performance.now() - started;
  }

  it('app down', async () => {
    const { server, url } = await metricsApp('a 1\n');
    await new Promise((resolve) => server.close(resolve));
    await expectFailure(`targets: [{ name: app, url: '${url}' }]`, 'connect');
  });

  it('app slow: the scraper’s patience counts', async () => {
    const { url } = await metricsApp(() => {});
    const took = await expectFailure(`targets: [{ name: app, url: '${url}', timeout: 60s }]`, 'timeout', {
      'x-prometheus-scrape-timeout-seconds': '1',
    });
    expect(took).toBeGreaterThanOrEqual(490);
    expect(took).toBeLessThan(30_000);
  });

  it('app slow in the middle of its body', async () => {
    const { url } = await metricsApp((_, response) => void response.write('a 1\n'));
    await expectFailure(`targets: [{ name: app, url: '${url}', timeout: 300ms }]`, 'timeout');
  });

  it('app that dies in the middle of its body', async () => {
    const { url } = await metricsApp((_, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('a 1\n', () => response.destroy());
    });
    await expectFailure(`targets: [{ name: app, url: '${url}' }]`, 'reset');
  });

  it('a body of 50 MB', async () => {
    const line = Buffer.from(`a{b="${'x'.repeat(1000)}"} 1\n`);
    const { url } = await metricsApp((_, response) => {
      response.on('error', () => {});
      const write = () => {
        if (!response.destroyed && response.write(line)) setImmediate(write);
        else response.once('drain', write);
      };
      write();
    });
    await expectFailure(
      `targets: [{ name: app, url: '${url}', limits: { body_size_limit: 1MiB } }]`,
      'body_size_limit',
    );
  });

  it('a bomb of gzip', async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000, 'a'));
    const { url } = await metricsApp(sends(bomb, { 'content-encoding': 'gzip' }));
    const before = process.memoryUsage.rss();
    await expectFailure(`targets: [{ name: app, url: '${url}' }]`, 'body_size_limit');
    expect(process.memoryUsage.rss() - before).toBeLessThan(100_000_000);
  });

  it.each([
    ['an error', 'status', (_: unknown, response: ServerResponse) => void response.writeHead(500).end('a 1\n')],
    [
      'a redirect',
      'status',
      (_: unknown, response: ServerResponse) => void response.writeHead(302, { location: '/elsewhere' }).end(),
    ],
    ['HTML', 'content_type', sends('<html>', { 'content-type': 'text/html' })],
    ['an encoding that was not asked for', 'encoding', sends('a 1\n', { 'content-encoding': 'br' })],
    ['gzip that is none', 'encoding', sends('a 1\n', { 'content-encoding': 'gzip' })],
    ['too many samples', 'sample_limit', sends('a{x="1"} 1\n'.repeat(11))],
  ])('%s', async (_, reason, answer) => {
    const { url } = await metricsApp(answer);
    await expectFailure(`targets: [{ name: app, url: '${url}', limits: { sample_limit: 10 } }]`, reason);
  });

  it('gzip is read, and the app comes back', async () => {
    let good = false;
    const { url } = await metricsApp((request, response) =>
      good ? sends(gzipSync('a 1\n'), { 'content-encoding': 'gzip' })(request, response) : void response.destroy(),
    );
    const { lines, value } = await startMetrics(`targets: [{ name: app, url: '${url}' }]`);
    expect(await value('up{')).toBe('0');
    good = true;
    expect(await lines()).toBe('# TYPE a untyped\na 1\n');
    expect(await value('up{')).toBe('1');
  });

  it('does not take the other targets with it', async () => {
    const one = await metricsApp((_, response) => void response.writeHead(503).end());
    const two = await metricsApp('a 1\n');
    const { get } = await startMetrics(`targets: [{ name: one, url: '${one.url}' }, { name: two, url: '${two.url}' }]`);
    const { body } = await get();
    expect(understood(body).get('a')?.samples).toHaveLength(1);
    expect(body).toMatch(/^up\{target="one",.*\} 0$/m);
    expect(body).toMatch(/^up\{target="two",.*\} 1$/m);
  });
});

describe('the page (PM07: many series)', () => {
  it('has all of 100,000, made while they are sent', async () => {
    const page = Array.from({ length: 100_000 }, (_, at) => `a{path="/x/${at}",method="GET"} ${at}\n`).join('');
    const { get } = await sidecar(`# TYPE a gauge\n${page}`, ', labels: { pod: web-1 }');
    for (let scrape = 0; scrape < 2; scrape++) {
      const { body, headers } = await get();
      expect(body.match(/^a\{/gm)).toHaveLength(100_000);
      expect(body).toContain('\na{path="/x/99999",method="GET",pod="web-1"} 99999\n');
      expect(headers.get('transfer-encoding')).toBe('chunked');
    }
  }, 60_000);
});

describe('a scraper that leaves in the middle', () => {
  it('does not disturb the next one', async () => {
    const page = Array.from({ length: 50_000 }, (_, at) => `a{path="/x/${at}"} ${at}\n`).join('');
    const { get, port } = await sidecar(page);
    for (let round = 0; round < 3; round++) {
      const leaving = new AbortController();
      const response = await fetch(`http://127.0.0.1:${port}/metrics`, { signal: leaving.signal });
      await response.body!.getReader().read();
      leaving.abort();
    }
    expect((await get()).body.match(/^a\{/gm)).toHaveLength(50_000);
  }, 60_000);
});

describe('the page (PM08: what numbers promise)', () => {
  it('has counters that never fall across a reload', async () => {
    const app = await metricsApp('broken\na 1\n');
    const yaml = (team: string) => `targets: [{ name: app, url: '${app.url}' }]\nlabels: { team: ${team} }`;
    const { value, rewrite, get } = await startMetrics(yaml('one'));
    await get();
    const before = Number(await value('portico_scrape_invalid_lines_total'));
    rewrite(yaml('two'));
    await vi.waitFor(async () => expect((await get()).body).toContain('a{team="two"} 1'), 10_000);
    expect(Number(await value('portico_scrape_invalid_lines_total'))).toBeGreaterThan(before);
    expect(await value('portico_config_reloads_total')).toBe('1');
  });

  it('has histograms as the app has them, and good ones as OpenMetrics', async () => {
    const page =
      '# TYPE h histogram\nh_bucket{le="0.5"} 1\nh_bucket{le="1"} 2\nh_bucket{le="+Inf"} 3\nh_sum 2.5\nh_count 3\n';
    const { get, lines } = await sidecar(page, ', labels: { pod: web-1 }');
    expect((await lines()).replaceAll(',pod="web-1"', '').replaceAll('{pod="web-1"}', '')).toBe(page);
    understood((await get(accepted)).body, 'openmetrics');
  });

  it('keeps a limit on series however many paths an app has, and folds them where a rule says so', async () => {
    const page = Array.from({ length: 10_000 }, (_, at) => `a{path="/user/${at}"} 1\n`).join('');
    const fold = `metric_relabel_configs: [{ source_labels: [path], regex: '/user/.*', target_label: path, replacement: /user/x }]`;
    const { get } = await sidecar(page, `, ${fold}`);
    const { body } = await get();
    expect(understood(body).get('a')?.samples).toHaveLength(1);
    expect((await get()).body).toMatch(/^portico_page_duplicate_samples_total\S* 9999$/m);
  });
});

describe('the page (PM09: label values from outside)', () => {
  it('has own series only of words that are known, whatever the app and the scraper send', async () => {
    let turn = 0;
    const { url } = await metricsApp((_, response) => {
      turn++;
      response.writeHead(turn % 2 === 0 ? 400 + turn : 200, {
        'content-type': `text/x-${turn}`,
        'content-encoding': `x-${turn}`,
      });
      response.end('a 1\n');
    });
    const { get, port } = await startMetrics(`targets: [{ name: app, url: '${url}' }]`);
    for (let at = 0; at < 20; at++) {
      await get({ accept: `text/x-${at}`, 'user-agent': `agent-${at}` });
      await fetch(`http://127.0.0.1:${port}/path-${at}`, { method: ['GET', 'POST', 'DELETE', 'PATCH'][at % 4]! });
    }
    const { body } = await get();
    expect(body).not.toMatch(/text\/x-|path-|DELETE|agent-/);
    const reasons = [...body.matchAll(/reason="(\w+)"/g)].map((match) => match[1]);
    expect(reasons.length).toBeGreaterThan(0);
    expect(scrapeFailures).toEqual(expect.arrayContaining(reasons));
  });
});

describe('scraping', () => {
  it('is done once for all who ask at the same time', async () => {
    let asked = 0;
    const waiting: (() => void)[] = [];
    const { url } = await metricsApp((request, response) => {
      asked++;
      waiting.push(() => sends('a 1\n')(request, response));
    });
    const { lines } = await startMetrics(`targets: [{ name: app, url: '${url}' }]`);
    const pages = [lines(), lines(), lines()];
    await vi.waitFor(() => expect(waiting).toHaveLength(1));
    // The others have asked as well by the time that a further exchange with the sidecar is over.
    await new Promise((resolve) => setTimeout(resolve, 200));
    waiting.forEach((answer) => answer());
    expect(await Promise.all(pages)).toEqual(Array(3).fill('# TYPE a untyped\na 1\n'));
    expect(asked).toBe(1);
  });

  it('goes on at an interval by itself when told, and the page is of the last time', async () => {
    let count = 0;
    const { url } = await metricsApp((request, response) => sends(`a ${++count}\n`)(request, response));
    const { lines } = await startMetrics(`scrape_interval: 50ms\ntargets: [{ name: app, url: '${url}' }]`);
    await vi.waitFor(() => expect(count).toBeGreaterThan(3), 10_000);
    expect(await lines()).toMatch(/^# TYPE a untyped\na \d+\n$/);
  });

  it('sends what identifies it, and says how long it waits', async () => {
    const seen: IncomingHttpHeaders[] = [];
    const app = await metricsApp((request, response) => {
      seen.push(request.headers);
      sends('a 1\n')(request, response);
    });
    const { get } = await startMetrics(
      `targets:\n  - { name: one, url: '${app.url}', basic_auth: { username: u, password: p }, timeout: 5s }\n  - { name: two, url: '${app.url}', bearer_token: t0ken, headers: { x-scope: a } }`,
    );
    await get();
    seen.sort((one, other) => String(one.authorization).localeCompare(String(other.authorization)));
    expect(seen[0]).toMatchObject({
      authorization: 'Basic dTpw',
      'x-prometheus-scrape-timeout-seconds': '5',
      'accept-encoding': 'gzip',
    });
    expect(seen[1]).toMatchObject({ authorization: 'Bearer t0ken', 'x-scope': 'a' });
    expect(seen[1]?.accept).toMatch(/^application\/openmetrics-text;version=1.0.0/);
  });

  it('trusts the authority that the configuration says, over TLS, and no other', async () => {
    const authority = await makeAuthority();
    const { cert, key } = await authority.issue('app.example');
    const app = createTlsServer({ cert, key }, sends('a 1\n'));
    await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void app.close());
    const folder = mkdtempSync(join(tmpdir(), 'portico-ca-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'ca.pem'), authority.cert);
    const url = `https://127.0.0.1:${(app.address() as AddressInfo).port}/metrics`;
    const { get } = await startMetrics(
      `targets:\n  - { name: good, url: '${url}', tls: { ca: 'file:${folder}/ca.pem', server_name: app.example } }\n` +
        `  - { name: other-name, url: '${url}', tls: { ca: 'file:${folder}/ca.pem' } }\n  - { name: no-ca, url: '${url}', tls: { server_name: app.example } }`,
    );
    const { body } = await get();
    expect(body).toMatch(/^up\{target="good",.*\} 1$/m);
    expect(body).toMatch(/^up\{target="other-name",.*\} 0$/m);
    expect(body).toMatch(/^up\{target="no-ca",.*\} 0$/m);
  });

  it('asks again when a kept connection was closed meanwhile', async () => {
    const { server, url } = await metricsApp('a 1\n');
    const { lines, value } = await startMetrics(`targets: [{ name: app, url: '${url}' }]`);
    for (let scrape = 0; scrape < 3; scrape++) {
      expect(await lines()).toBe('# TYPE a untyped\na 1\n');
      server.closeAllConnections();
    }
    expect(await value('up{')).toBe('1');
  });

  it('forgets the series of a target that is configured no more', async () => {
    const app = await metricsApp('a 1\n');
    const yaml = (name: string) => `targets: [{ name: ${name}, url: '${app.url}' }]`;
    const { get, rewrite } = await startMetrics(yaml('one'));
    expect((await get()).body).toMatch(/^up\{target="one"/m);
    rewrite(yaml('two'));
    await vi.waitFor(async () => expect((await get()).body).toMatch(/^up\{target="two"/m), 10_000);
    expect((await get()).body).not.toContain('target="one"');
  });
});
