import { connect as connectHttp2 } from 'node:http2';
import type { IncomingHttpHeaders } from 'node:http';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startApp } from '../support/app.ts';
import { makeAuthority } from '../support/certificates.ts';
import { issue, jwks, makeKey } from '../support/identity-provider.ts';
import { RawClient } from '../support/listener-harness.ts';
import { startPortico } from '../support/portico.ts';

const key = makeKey('ES256', 'k1');
const token = issue(key, {
  iss: 'https://issuer.test',
  aud: 'api',
  sub: 'alice',
  exp: Math.floor(Date.now() / 1000) + 600,
});

const authority = await makeAuthority();
const server = await authority.issue('localhost');
const client = await authority.issue('client.test', 'other.test');

interface Echo {
  readonly headers: IncomingHttpHeaders;
  readonly trailers: Record<string, string>;
  /** Names as they came, in lower case. */
  readonly names: string[];
}

type Fields = readonly (readonly [name: string, value: string])[];

interface Ask {
  (protocol: 'HTTP/1.1' | 'HTTP/2', fields: Fields, trailers?: Fields): Promise<Echo>;
}

/** A whole portico with TLS before an app that tells which headers it got. */
async function start(listener = '', filters = ''): Promise<Ask> {
  const app = await startApp((request, response) => {
    request.resume().on('end', () =>
      response.end(
        JSON.stringify({
          headers: request.headers,
          trailers: request.trailers,
          names: request.rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase()),
        }),
      ),
    );
  });
  const portico = await startPortico(
    `
listeners:
  - name: https
    address: 127.0.0.1:0
    tls: { certificates: [{ certificate_chain: tls.crt, private_key: tls.key }], client_ca: ca.crt }
    ${listener}
http_filters:
  - { name: request-id }
  - name: jwt-auth
    config:
      providers:
        main:
          issuer: https://issuer.test
          audiences: [api]
          algorithms: [ES256]
          local_jwks: { inline: '${jwks(key)}' }
          claim_to_headers: [{ header_name: x-user, claim_name: sub }]
          forward_payload_header: x-jwt-payload
      rules: [{ match: { prefix: / }, requires: main, allow_missing: true }]
${filters}
clusters: [{ name: app, endpoints: ['127.0.0.1:${app.port}'] }]`,
    { files: { 'tls.crt': server.cert, 'tls.key': server.key, 'ca.crt': authority.cert } },
  );
  return async (protocol, fields, trailers = []) => {
    const socket = connectTls({
      port: portico.port(),
      host: '127.0.0.1',
      ca: authority.cert,
      servername: 'localhost',
      cert: client.cert,
      key: client.key,
      ALPNProtocols: [protocol === 'HTTP/2' ? 'h2' : 'http/1.1'],
    });
    onTestFinished(() => {
      socket.destroy();
    });
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    const body =
      protocol === 'HTTP/2' ? await overHttp2(socket, fields, trailers) : await overHttp1(socket, fields, trailers);
    return JSON.parse(body) as Echo;
  };
}

async function overHttp1(socket: TLSSocket, fields: Fields, trailers: Fields): Promise<string> {
  const raw = new RawClient(socket);
  const lines = (all: Fields) => all.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  raw.write(`POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n${lines(fields)}\r\n`);
  raw.write(`1\r\nx\r\n0\r\n${lines(trailers)}\r\n`);
  const text = await raw.until(({ received }) => /\r\n\r\n[^]*\}(\r\n0\r\n\r\n)?$/.test(received));
  return text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1);
}

function overHttp2(socket: TLSSocket, fields: Fields, trailers: Fields): Promise<string> {
  const session = connectHttp2('https://t', { createConnection: () => socket });
  onTestFinished(() => session.destroy());
  return new Promise((resolve, reject) => {
    const flat = [':method', 'POST', ':path', '/', ':scheme', 'https', ':authority', 't'];
    for (const [name, value] of fields) flat.push(name.toLowerCase(), value);
    const stream = session.request(flat, { waitForTrailers: true, endStream: false });
    stream.on('wantTrailers', () => stream.sendTrailers(Object.fromEntries(trailers)));
    let text = '';
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
    stream.on('error', reject);
    stream.on('end', () => resolve(text));
    stream.end('x');
  });
}

const spoofed: Fields = [
  ['X-Forwarded-For', '1.1.1.1'],
  ['X-Forwarded-For', '2.2.2.2'],
  ['X-Forwarded-Proto', 'http'],
  ['X-Forwarded-Proto', 'ftp'],
  ['X-Forwarded-Host', 'evil'],
  ['X-Forwarded-Port', '1'],
  ['X-Forwarded-Prefix', '/evil'],
  ['X-Forwarded-Server', 'evil'],
  ['X-Forwarded-Ssl', 'off'],
  ['X-Forwarded-User', 'root'],
  ['X-Forwarded-Client-Cert', 'Hash=00;Subject="CN=root"'],
  ['X-Real-IP', '1.1.1.1'],
  ['X-Real-IP', '2.2.2.2'],
  ['Forwarded', 'for=1.1.1.1;host=evil'],
  ['X-User', 'root'],
  ['X-User', 'admin'],
  ['X-Jwt-Payload', 'root'],
  ['X-Request-Id', 'chosen-by-the-client'],
];

const nominating: Fields = [
  ['Connection', 'x-forwarded-for, x-forwarded-proto, x-forwarded-host, x-forwarded-client-cert, x-real-ip, forwarded'],
  ['Connection', 'x-user, x-jwt-payload, x-request-id, authorization, via'],
];

function expectOurs({ headers, names }: Echo): void {
  expect(headers['x-forwarded-for']).toMatch(/(^|, )127\.0\.0\.1$/);
  expect(headers['x-forwarded-proto']).toBe('https');
  expect(headers['x-forwarded-host']).toBe('t');
  expect(headers['x-real-ip'] ?? '127.0.0.1').toBe('127.0.0.1');
  expect(headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  expect(headers['forwarded']).toBeUndefined();
  expect(names.filter((name) => name.startsWith('x-forwarded-')).sort()).toEqual([
    'x-forwarded-for',
    'x-forwarded-host',
    'x-forwarded-proto',
  ]);
  // One line each: apps differ in which of several they believe.
  expect(names.length).toBe(new Set(names).size);
}

describe.each(['HTTP/1.1', 'HTTP/2'] as const)('over %s, what says who a client is', (protocol) => {
  it('cannot be said by the client itself', async () => {
    const ask = await start();
    const echo = await ask(protocol, spoofed);
    expectOurs(echo);
    expect(echo.headers['x-user']).toBeUndefined();
    expect(echo.headers['x-jwt-payload']).toBeUndefined();
  });

  it('cannot be said, doubled or suppressed by a client that has a token', async () => {
    const ask = await start();
    const fields: Fields = [...spoofed, ['Authorization', `Bearer ${token}`]];
    const echo = await ask(protocol, protocol === 'HTTP/1.1' ? [...fields, ...nominating] : fields);
    expectOurs(echo);
    expect(echo.headers['x-user']).toBe('alice');
    expect(echo.headers['x-jwt-payload']).toMatch(/^ey/);
  });

  it('cannot be smuggled in as trailers', async () => {
    const ask = await start();
    const names = [
      'x-forwarded-for',
      'x-forwarded-proto',
      'x-forwarded-client-cert',
      'x-real-ip',
      'forwarded',
      'cookie',
    ];
    const echo = await ask(protocol, [], [...names.map((name) => [name, 'evil'] as const), ['x-checksum', 'abc']]);
    expectOurs(echo);
    expect(echo.trailers).toEqual({ 'x-checksum': 'abc' });
  });

  it('cannot be said with underscores where they are dropped or allowed', async () => {
    const odd: Fields = [
      ['X_Forwarded_For', '1.1.1.1'],
      ['X_Forwarded_Proto', 'http'],
      ['X-Forwarded_Client_Cert', 'Hash=00'],
      ['X_Real_IP', '1.1.1.1'],
      ['X_User', 'root'],
      ['X_Other', 'kept'],
    ];
    for (const action of ['drop', 'allow']) {
      const ask = await start(`headers_with_underscores_action: ${action}`);
      const echo = await ask(protocol, odd);
      expectOurs(echo);
      expect(echo.names.filter((name) => name.includes('_'))).toEqual(action === 'allow' ? ['x_other'] : []);
    }
  });

  it('is said of a verified client certificate when that is configured', async () => {
    const ask = await start('forward_client_cert_details: sanitize_set');
    const { headers } = await ask(protocol, [
      ['X-Forwarded-Client-Cert', 'Hash=00;Subject="CN=root"'],
      ['X-Forwarded-Client-Cert', 'Hash=01'],
      ...(protocol === 'HTTP/1.1' ? nominating : []),
    ]);
    expect(headers['x-forwarded-client-cert']).toMatch(
      /^Hash=[0-9a-f]{64};Subject="CN=client\.test";DNS=client\.test;DNS=other\.test$/,
    );
  });
});
