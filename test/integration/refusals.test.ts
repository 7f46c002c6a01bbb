import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { connect as connectHttp2 } from 'node:http2';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startApp } from '../support/app.ts';
import { makeAuthority } from '../support/certificates.ts';
import { exchangeRaw, RawClient, statusesIn } from '../support/listener-harness.ts';
import { startPortico } from '../support/portico.ts';

interface Line {
  readonly status: number;
  readonly flags: string;
  readonly details: string;
  readonly protocol: string;
}

/** A whole portico with tight limits, and what its access log says. */
async function start(listener = '', rest = '') {
  const app = await startApp((request, response) => {
    // Answers when it has all of the request.
    request.resume().on('end', () => request.url !== '/never' && response.end('ok\n'));
  });
  const folder = mkdtempSync(join(tmpdir(), 'portico-log-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const portico = await startPortico(`
listeners:
  - name: http
    address: 127.0.0.1:0
    request_headers_timeout: 300ms
    request_timeout: 600ms
    stream_idle_timeout: 1200ms
    max_body_bytes: 100
    ${listener}
http_filters: [{ name: access-log, config: { path: '${folder}/access.log' } }]
${rest}
clusters: [{ name: app, endpoints: ['127.0.0.1:${app.port}'] }]`);
  const log = (): Line[] =>
    readFileSync(`${folder}/access.log`, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Line);
  return { portico, port: portico.port(), log };
}

const refusals: readonly [what: string, bytes: string, status: number, details: string, flags: string][] = [
  ['no request at all', 'nonsense\r\n\r\n', 400, 'request_line_invalid', 'DPE'],
  ['no host', 'GET / HTTP/1.1\r\n\r\n', 400, 'host_missing', 'DPE'],
  ['two hosts', 'GET / HTTP/1.1\r\nHost: t\r\nHost: u\r\n\r\n', 400, 'duplicate_host', 'DPE'],
  ['a folded header', 'GET / HTTP/1.1\r\nHost: t\r\nA: b\r\n c\r\n\r\n', 400, 'header_folded', 'DPE'],
  [
    'a length and chunks',
    'POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    400,
    'content_length_with_transfer_encoding',
    'DPE',
  ],
  ['an escaped slash', 'GET /a%2fb HTTP/1.1\r\nHost: t\r\n\r\n', 400, 'path_escaped_slash', 'DPE'],
  [
    'a broken chunk, after the head was accepted',
    'POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    400,
    'chunk_size_invalid',
    'DPE',
  ],
  ['a method that is not for gateways', 'TRACE / HTTP/1.1\r\nHost: t\r\n\r\n', 405, 'method_not_allowed', 'DPE'],
  ['a tunnel', 'CONNECT t:443 HTTP/1.1\r\nHost: t:443\r\n\r\n', 405, 'method_not_allowed', 'DPE'],
  ['slow headers', 'GET / HTTP/1.1\r\nHost: t\r\n', 408, 'request_headers_timeout', 'DT'],
  ['a slow body', 'POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\nx', 408, 'request_timeout', 'DT'],
  ['silence', 'GET /never HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n', 504, 'stream_idle_timeout', 'SI'],
  [
    'a body announced too large',
    'POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 101\r\n\r\n',
    413,
    'body_too_large',
    'LL',
  ],
  [
    'a body that gets too large',
    `POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n80\r\n${'x'.repeat(128)}\r\n0\r\n\r\n`,
    413,
    'body_too_large',
    'LL',
  ],
  ['a long target', `GET /${'a'.repeat(9000)} HTTP/1.1\r\nHost: t\r\n\r\n`, 414, 'uri_too_long', 'LL'],
  [
    'an expectation',
    'POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\nExpect: miracles\r\n\r\n',
    417,
    'expectation_not_supported',
    'DPE',
  ],
  ['many headers', `GET / HTTP/1.1\r\nHost: t\r\n${'A: b\r\n'.repeat(101)}\r\n`, 431, 'too_many_headers', 'LL'],
  [
    'large headers',
    `GET / HTTP/1.1\r\nHost: t\r\nA: ${'b'.repeat(70_000)}\r\n\r\n`,
    431,
    'header_section_too_large',
    'LL',
  ],
  ['another version', 'GET / HTTP/1.9\r\nHost: t\r\n\r\n', 505, 'http_version_not_supported', 'DPE'],
];

// A client may repeat what was answered 408 (RFC 9110 §15.5.9).
it.each([
  ['in the middle of a request is its client’s: 408', 'Content-Length: 2\r\n\r\na', 408],
  ['after the whole request is the app’s: 504, so that nobody asks again', 'Content-Length: 2\r\n\r\nab', 504],
])('silence %s', async (_what, rest, status) => {
  const app = await startApp((request) => void request.resume());
  const portico = await startPortico(`
listeners: [{ name: http, address: 127.0.0.1:0, stream_idle_timeout: 300ms }]
clusters: [{ name: app, endpoints: ['127.0.0.1:${app.port}'] }]`);
  expect(
    statusesIn(await exchangeRaw(portico.port(), `POST / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n${rest}`)),
  ).toEqual([status]);
});

describe('a refusal', () => {
  it.each(refusals)(
    'of %s is answered, flagged, counted and in the access log',
    async (_what, bytes, status, details, flags) => {
      const { portico, port, log } = await start();
      expect(statusesIn(await exchangeRaw(port, bytes))).toEqual([status]);
      await expect.poll(() => log().length).toBe(1);
      expect(log()[0]).toMatchObject({ status, details, flags });
      for (const flag of flags.split(','))
        expect(await portico.metric(`portico_http_response_flags_total{flag="${flag}"}`)).toBe(1);
      if (flags !== 'SI')
        expect(await portico.metric(`portico_http_protocol_errors_total{listener="http",details="${details}"}`)).toBe(
          1,
        );
    },
  );

  it('over HTTP/2 is answered, flagged, counted and in the access log', async () => {
    const { portico, port, log } = await start();
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    onTestFinished(() => session.destroy());
    const ask = (headers: Record<string, string>) =>
      new Promise<number | undefined>((resolve) => {
        const stream = session.request(headers);
        stream.on('response', (fields) => resolve(fields[':status']));
        stream.on('error', () => {});
        stream.resume();
      });
    expect(await ask({ ':path': '/a%2fb' })).toBe(400);
    expect(await ask({ ':path': '/', ':method': 'TRACE' })).toBe(405);
    expect(await ask({ ':path': `/${'a'.repeat(9000)}` })).toBe(414);
    expect(await ask({ ':path': '/', ':method': 'POST', expect: 'miracles' })).toBe(417);
    await expect.poll(() => log().length).toBe(4);
    expect(log().map(({ protocol, status, details, flags }) => [protocol, status, details, flags])).toEqual([
      ['HTTP/2', 400, 'path_escaped_slash', 'DPE'],
      ['HTTP/2', 405, 'method_not_allowed', 'DPE'],
      ['HTTP/2', 414, 'uri_too_long', 'LL'],
      ['HTTP/2', 417, 'expectation_not_supported', 'DPE'],
    ]);
    expect(await portico.metric('portico_http_response_flags_total{flag="DPE"}')).toBe(3);
  });

  it('of an exchange too many is answered 503, flagged, counted and in the access log', async () => {
    const { portico, port, log } = await start('', 'overload: { max_exchanges: 1 }');
    const running = await RawClient.connect(port);
    running.write('GET /never HTTP/1.1\r\nHost: t\r\n\r\n');
    await expect.poll(() => portico.metric('portico_http_active_exchanges{listener="http"}')).toBe(1);
    expect(statusesIn(await exchangeRaw(port, 'GET / HTTP/1.0\r\n\r\n'))).toEqual([503]);
    await expect.poll(() => log().length).toBe(1);
    expect(log()[0]).toMatchObject({ status: 503, details: 'overload_exchanges', flags: 'OM' });
    expect(await portico.metric('portico_overload_refused_total{trigger="exchanges"}')).toBe(1);
  });

  it('of a TLS handshake is counted: there is no exchange to log', async () => {
    const authority = await makeAuthority();
    const { cert, key } = await authority.issue('localhost');
    const portico = await startPortico(
      `
listeners:
  - name: https
    address: 127.0.0.1:0
    tls: { certificates: [{ certificate_chain: tls.crt, private_key: tls.key }] }
clusters: [{ name: app, endpoints: ['127.0.0.1:1'] }]`,
      { files: { 'tls.crt': cert, 'tls.key': key } },
    );
    await exchangeRaw(portico.port(), 'GET / HTTP/1.1\r\nHost: t\r\n\r\n');
    await expect.poll(() => portico.metric('portico_listener_tls_handshake_failures_total{listener="https"}')).toBe(1);
  });
});
