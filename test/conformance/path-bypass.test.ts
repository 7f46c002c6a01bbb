import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { connect } from 'node:net';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { issue, jwks, makeKey } from '../support/identity-provider.ts';
import { launchPortico, type Portico } from '../support/portico.ts';

/**
 * What is under /public/ is for everybody, all else wants a token. No spelling of a path may get anybody to /admin without
 * one; what the rules judged is what the app gets. The verdict is the status, and for 200 the target that the app saw.
 */
const cases: readonly [id: string, target: string, verdict: string][] = [
  ['PN01', '/public/../admin', '401'],
  ['PN02', '/public/%2e%2e/admin', '401'],
  ['PN02', '/public/%2E%2E/admin', '401'],
  ['PN02', '/public/.%2e/admin', '401'],
  ['PN03', '/public/..%2fadmin', '400'],
  ['PN03', '/public/%2e%2e%2fadmin', '400'],
  ['PN04', '/public/..%5cadmin', '400'],
  ['PN04', '/public/..\\admin', '400'],
  ['PN04', '/public\\..\\admin', '400'],
  ['PN05', '/public/..;/admin', '400'],
  ['PN05', '/public/..;x=1/admin', '400'],
  ['PN05', '/public;/../admin', '401'],
  ['PN06', '//admin', '401'],
  ['PN06', '///admin', '401'],
  ['PN06', '/public//../admin', '401'],
  ['PN06', '/public/x//../../admin', '401'],
  ['PN07', '/%61dmin', '401'],
  ['PN07', '/%41DMIN', '401'],
  ['PN07', '/ADMIN', '401'],
  ['PN08', '/public/%252e%252e/admin', '200 /public/%252e%252e/admin'],
  ['PN09', '/public/..%00/admin', '400'],
  ['PN09', '/public/%00../admin', '400'],
  ['PN09', '/admin%00.png', '400'],
  ['PN09', '/xyz/AAAAA%%0000/abc', '400'],
  ['PN10', '/public/%c0%ae%c0%ae/admin', '400'],
  ['PN10', '/public/%c0%af../admin', '400'],
  ['PN11', '/public/%', '400'],
  ['PN11', '/public/%zz', '400'],
  ['PN11', '/foo/bar%', '400'],
  ['PN11', '/foo/bar%1', '400'],
  ['PN12', '/public/..', '401'],
  ['PN12', '/public/.', '200 /public/'],
  ['PN12', '/..', '401'],
  ['PN12', '/public/../../../../etc', '401'],
  ['PN13', '/public/x?../admin', '200 /public/x?../admin'],
  ['PN13', '/public/x?a=/../../admin', '200 /public/x?a=/../../admin'],
  ['PN13', '/public?../admin', '401'],
  ['PN13', '/public/#/../admin', '400'],
  ['PN14', '/public/x/../../admin?x=/public/', '401'],
  ['PN15', 'http://t/admin', '401'],
  ['PN15', 'http://t/public/../admin', '401'],
  ['PN15', 'http://t/public/x', '200 /public/x'],
  ['plain', '/public/x', '200 /public/x'],
  ['plain', '/admin', '401'],
];

const key = makeKey('ES256', 'k1');

describe('paths that try to get around a rule', () => {
  let app: Server;
  let portico: Portico;
  let session: ClientHttp2Session;
  /** Targets as the app saw them. */
  const seen: string[] = [];

  beforeAll(async () => {
    app = createServer((request, response) => {
      seen.push(request.url!);
      response.end(request.url);
    });
    await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
    portico = await launchPortico(`
listeners: [{ name: http, address: 127.0.0.1:0 }]
http_filters:
  - name: jwt-auth
    config:
      providers: { main: { issuer: https://issuer.test, audiences: [api], algorithms: [ES256], local_jwks: { inline: '${jwks(key)}' } } }
      rules: [{ match: { prefix: /public/ }, allow_missing: true }, { match: { prefix: / }, requires: main }]
clusters: [{ name: app, endpoints: ['127.0.0.1:${(app.address() as AddressInfo).port}'] }]`);
    session = connectHttp2(`http://127.0.0.1:${portico.port()}`);
  });

  afterAll(async () => {
    session.destroy();
    await portico.stop();
    app.closeAllConnections();
    await new Promise((resolve) => app.close(resolve));
  });

  function judged(status: number, before: number): string {
    const reached = seen.slice(before);
    // What was refused has not been seen by the app either.
    return reached.length === 0 ? String(status) : `${status} ${reached.join(' ')}`;
  }

  async function overHttp1(target: string, headers = ''): Promise<string> {
    const before = seen.length;
    const text = await new Promise<string>((resolve, reject) => {
      let received = '';
      const socket = connect(portico.port(), '127.0.0.1');
      socket.write(`GET ${target} HTTP/1.1\r\nHost: t\r\n${headers}Connection: close\r\n\r\n`, 'latin1');
      socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')));
      socket.on('error', reject);
      socket.on('close', () => resolve(received));
    });
    return judged(Number(text.slice(9, 12)), before);
  }

  function overHttp2(target: string): Promise<string> {
    const before = seen.length;
    return new Promise((resolve, reject) => {
      const stream = session.request({ ':path': target, ':authority': 't' });
      let status = 0;
      stream.on('response', (fields) => (status = fields[':status'] ?? 0));
      stream.on('error', reject);
      stream.on('close', () => resolve(judged(status, before)));
      stream.resume();
    });
  }

  it.each(cases)('%s over HTTP/1.1: %s is answered %s', async (_id, target, verdict) => {
    expect(await overHttp1(target)).toBe(verdict);
  });

  it.each(cases.filter(([, target]) => target.startsWith('/')))(
    'PN16 over HTTP/2: %s %s is answered %s',
    async (_id, target, verdict) => {
      expect(await overHttp2(target)).toBe(verdict);
    },
  );

  it('with a token get to what they mean', async () => {
    const token = issue(key, { iss: 'https://issuer.test', aud: 'api', exp: Math.floor(Date.now() / 1000) + 60 });
    expect(await overHttp1('/public/../admin', `Authorization: Bearer ${token}\r\n`)).toBe('200 /admin');
  });
});
