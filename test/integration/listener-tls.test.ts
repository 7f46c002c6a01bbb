import { connect as connectHttp2 } from 'node:http2';
import { get } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ConfigError } from '../../src/options/index.ts';
import { localReply } from '../../src/http/index.ts';
import { makeAuthority, type TestCertificate } from '../support/certificates.ts';
import { http1Codecs } from '../support/http1-codecs.ts';
import {
  folderOf,
  RawClient,
  startListener,
  statusesIn,
  type TestListenerOptions,
} from '../support/listener-harness.ts';

const authority = await makeAuthority();
const first = await authority.issue('first.test', '127.0.0.1');
const second = await authority.issue('second.test', 'also-second.test');
const wild = await authority.issue('*.wild.test');

function files(certificates: Record<string, TestCertificate>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(certificates).flatMap(([name, { cert, key }]) => [
      [`${name}.crt`, cert],
      [`${name}.key`, key],
    ]),
  );
}

function pairs(...names: string[]) {
  return names.map((name) => ({ certificate_chain: `${name}.crt`, private_key: `${name}.key` }));
}

async function startTls(options: Omit<TestListenerOptions, 'config'> & { tls?: object; config?: object } = {}) {
  const folder = folderOf({ ...files({ first, second, wild }), 'ca.crt': authority.cert });
  return startListener({
    ...options,
    folder,
    config: { ...options.config, tls: { certificates: pairs('first', 'second', 'wild'), ...options.tls } },
  });
}

/** A finished handshake, or the error that ended it. */
function handshake(port: number, options: object = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', ca: authority.cert, servername: 'first.test', ...options }, () =>
      resolve(socket),
    );
    socket.on('error', reject);
    onTestFinished(() => {
      socket.destroy();
    });
  });
}

describe('TLS', () => {
  it.each([
    ['first.test', 'first.test'],
    ['second.test', 'second.test'],
    ['ALSO-second.test', 'second.test'],
    ['a.wild.test', '*.wild.test'],
    ['a.b.wild.test', 'first.test'],
    ['unknown.test', 'first.test'],
    ['', 'first.test'],
  ])('shows a client that asks for "%s" the certificate of %s', async (servername, subject) => {
    const { port } = await startTls();
    const socket = await handshake(port, { servername, checkServerIdentity: () => undefined });
    expect(socket.getPeerCertificate().subject.CN).toBe(subject);
  });

  it.each(http1Codecs)(
    'speaks HTTP/2 and HTTP/1.1 by ALPN, and tells filters about the connection (%s)',
    async (_name, http1) => {
      const { port, logged, logs } = await startTls({ http1 });
      const h2 = connectHttp2(`https://first.test:${port}`, {
        ca: authority.cert,
        lookup: (_host, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }] as never, 4),
      });
      onTestFinished(() => h2.destroy());
      const stream = h2.request({ ':path': '/h2' });
      const status = await new Promise((resolve) => stream.on('response', (headers) => resolve(headers[':status'])));
      expect(status).toBe(200);
      stream.close();

      const text = await new Promise<string>((resolve, reject) => {
        get(
          { port, host: '127.0.0.1', path: '/h1', ca: authority.cert, servername: 'second.test', agent: false },
          (response) => {
            let body = '';
            response.on('data', (chunk) => (body += String(chunk)));
            response.on('end', () => resolve(body));
          },
        ).on('error', reject);
      });
      expect(text).toBe('GET /h1\n');
      await logs(2);
      expect(logged.map(({ protocol }) => protocol)).toEqual(['HTTP/2', 'HTTP/1.1']);
      expect(logged[0]!.request.scheme).toBe('https');
      expect(logged[0]!.downstream.tls).toMatchObject({
        version: 'TLSv1.3',
        serverName: 'first.test',
        peerSubject: undefined,
      });
      expect(logged[1]!.downstream.tls!.serverName).toBe('second.test');
      expect(logged[1]!.request.headers.get('x-forwarded-proto')).toBe('https');
    },
  );

  it.each(http1Codecs)('keeps the timeouts of HTTP/1 (%s)', async (_name, http1) => {
    const { port } = await startTls({ http1, config: { request_headers_timeout: '100ms' } });
    const socket = await handshake(port, { ALPNProtocols: ['http/1.1'] });
    const client = new RawClient(socket);
    client.write('GET / HTTP/1.1\r\nHost: t\r\n');
    expect(statusesIn(await client.end())).toEqual([408]);
  });

  it('ends handshakes that take too long or fail, and counts them', async () => {
    const { port, stats } = await startTls({ tls: { handshake_timeout: '80ms' } });
    const silent = connectTcp({ port, host: '127.0.0.1' });
    await new Promise((resolve) => silent.on('close', resolve));
    const plain = connectTcp({ port, host: '127.0.0.1' });
    plain.on('error', () => {});
    plain.write('GET / HTTP/1.1\r\nHost: t\r\n\r\n');
    await new Promise((resolve) => plain.on('close', resolve));
    await expect
      .poll(() => stats.render())
      .toContain('portico_listener_tls_handshake_failures_total{listener="test"} 2');
    await expect.poll(() => stats.render()).toContain('portico_listener_connections{listener="test"} 0');
  });

  it('speaks no older version than it is told', async () => {
    const { port } = await startTls({ tls: { minimum_version: 'TLSv1_3' } });
    await expect(handshake(port, { maxVersion: 'TLSv1.2' })).rejects.toThrow();
    expect((await handshake(port)).getProtocol()).toBe('TLSv1.3');
  });

  it('verifies client certificates, and refuses clients without one where told to', async () => {
    const client = await authority.issue('client.test');
    const { port, logs } = await startTls({ tls: { client_ca: 'ca.crt', require_client_certificate: true } });
    const raw = new RawClient(
      await handshake(port, { cert: client.cert, key: client.key, ALPNProtocols: ['http/1.1'] }),
    );
    raw.write('GET / HTTP/1.1\r\nHost: t\r\n\r\n');
    await raw.expects('GET /');
    expect((await logs(1))[0]!.downstream.tls!.peerSubject).toBe('CN=client.test');

    const stranger = await makeAuthority('Other CA');
    const foreign = await stranger.issue('client.test');
    for (const credentials of [{}, { cert: foreign.cert, key: foreign.key }]) {
      const refused = handshake(port, { ...credentials, ALPNProtocols: ['http/1.1'] }).then(
        (socket) => new Promise((resolve) => socket.on('close', resolve)),
        () => {},
      );
      await refused;
    }
  });

  it('shows its certificates, and new ones after a reload', async () => {
    const folder = folderOf(files({ first }));
    const { listener, port } = await startListener({ folder, config: { tls: { certificates: pairs('first') } } });
    expect(listener.show().tls!.certificates[0]!.names).toEqual(['first.test', '127.0.0.1']);
    expect(Date.parse(listener.show().tls!.certificates[0]!.not_after)).toBeGreaterThan(Date.now());
    const { writeFileSync } = await import('node:fs');
    writeFileSync(`${folder}/first.crt`, second.cert);
    await expect(listener.reloadCertificates()).rejects.toThrow(ConfigError);
    expect((await handshake(port)).getPeerCertificate().subject.CN).toBe('first.test');
    writeFileSync(`${folder}/first.key`, second.key);
    await listener.reloadCertificates();
    for (const servername of ['second.test', '']) {
      const socket = await handshake(port, { servername, checkServerIdentity: () => undefined });
      expect(socket.getPeerCertificate().subject.CN).toBe('second.test');
    }
  });
});

describe('certificates that cannot be used are faults', () => {
  const secret = 'open sesame';
  const place = ['listeners', 0, 'tls', 'certificates', 0];
  it.each([
    ['a missing key', { cert: first.cert }, {}, [...place, 'private_key'], 'cannot read a.key: no such file'],
    [
      'a key of another certificate',
      { cert: first.cert, key: second.key },
      {},
      [...place, 'private_key'],
      'a.key is not the key of the certificate in a.crt',
    ],
    [
      'an encrypted key without passphrase',
      { cert: first.cert, key: first.encryptedKey(secret) },
      {},
      [...place, 'private_key'],
      'a.key is encrypted: set passphrase, or give a key that is not',
    ],
    [
      'an encrypted key with the wrong passphrase',
      { cert: first.cert, key: first.encryptedKey(secret) },
      { passphrase: 'wrong guess' },
      [...place, 'private_key'],
      'a.key cannot be decrypted: the passphrase is wrong, or the file is damaged',
    ],
    [
      'a certificate that is none',
      { cert: 'hello', key: first.key },
      {},
      [...place, 'certificate_chain'],
      'a.crt has no PEM block of a certificate ("-----BEGIN … CERTIFICATE-----")',
    ],
    [
      'a key that is none',
      { cert: first.cert, key: first.cert },
      {},
      [...place, 'private_key'],
      'a.key has no PEM block of a private key ("-----BEGIN … PRIVATE KEY-----")',
    ],
    [
      'a damaged certificate',
      { cert: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n', key: first.key },
      {},
      [...place, 'certificate_chain'],
      'a.crt has a damaged certificate',
    ],
    [
      'a damaged key',
      { cert: first.cert, key: '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n' },
      {},
      [...place, 'private_key'],
      'a.key has a damaged private key',
    ],
  ])('%s', async (_what, { cert, key }: { cert: string; key?: string }, more, path, message) => {
    const folder = folderOf({ 'a.crt': cert, ...(key === undefined ? {} : { 'a.key': key }) });
    const starting = startListener({
      folder,
      config: { tls: { certificates: [{ certificate_chain: 'a.crt', private_key: 'a.key', ...more }] } },
    });
    await expect(starting).rejects.toMatchObject({ faults: [{ path, message }] });
  });

  it('all of them at once', async () => {
    const folder = folderOf({ 'a.crt': first.cert });
    const starting = startListener({
      folder,
      config: { tls: { certificates: [...pairs('a'), ...pairs('b')], require_client_certificate: true } },
    });
    await expect(starting).rejects.toSatisfy((error) => error instanceof ConfigError && error.faults.length === 4);
  });

  it('and a right passphrase is none', async () => {
    const folder = folderOf({ 'a.crt': first.cert, 'a.key': first.encryptedKey(secret) });
    const { port } = await startListener({
      folder,
      answer: () => localReply(200, 'ok'),
      config: { tls: { certificates: [{ certificate_chain: 'a.crt', private_key: 'a.key', passphrase: secret }] } },
    });
    await handshake(port);
  });
});
