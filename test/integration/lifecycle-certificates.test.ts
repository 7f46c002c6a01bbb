import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type PeerCertificate } from 'node:tls';
import { expect, it, onTestFinished } from 'vitest';
import { makeAuthority, type TestCertificate } from '../support/certificates.ts';
import { startPortico, type Portico } from '../support/portico.ts';

const authority = await makeAuthority();

const yaml = `admin: { address: 127.0.0.1:0 }
listeners:
  - name: https
    address: 127.0.0.1:0
    tls: { certificates: [{ certificate_chain: tls/tls.crt, private_key: tls/tls.key }] }
http_filters: []
virtual_hosts: [{ name: a, domains: ['*'], routes: [{ direct_response: { status: 200, body: ok } }] }]
clusters: []
`;

async function start(first: TestCertificate): Promise<{ portico: Portico; folder: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'portico-certificates-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  write(folder, first);
  const portico = await startPortico(yaml.replaceAll('tls/', `${folder}/`));
  return { portico, folder };
}

function write(folder: string, { cert, key }: TestCertificate): void {
  writeFileSync(join(folder, 'tls.crt'), cert);
  writeFileSync(join(folder, 'tls.key'), key);
}

/** Shakes hands, asks once, and answers the serial number of the certificate that was shown. */
function serial(port: number, servername: string | undefined = 'shop.example'): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      port,
      ca: authority.cert,
      checkServerIdentity: () => undefined,
      ...(servername === '' ? {} : { servername }),
    });
    let shown: PeerCertificate;
    socket.on('secureConnect', () => {
      shown = socket.getPeerCertificate();
      socket.write('GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n');
    });
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.on('error', reject);
    socket.on('close', () => {
      if (text.startsWith('HTTP/1.1 200 ')) resolve(shown.serialNumber);
      else reject(new Error(`answered ${JSON.stringify(text)}`));
    });
  });
}

const serialOf = async ({ cert }: TestCertificate) => {
  const { X509Certificate } = await import('node:crypto');
  return new X509Certificate(cert).serialNumber;
};

it(
  'RE42 a pair replaced in either order twenty times under handshakes: none fails, and new ones see it within 2 s',
  { timeout: 90_000 },
  async () => {
    const { portico, folder } = await start(await authority.issue('shop.example'));
    const port = portico.port();
    const failures: string[] = [];
    let handshakes = 0;
    let running = true;
    const clients = Array.from({ length: 3 }, async () => {
      while (running) {
        try {
          await serial(port);
          handshakes++;
        } catch (error) {
          failures.push(String(error));
        }
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    });
    let slowest = 0;
    for (let round = 0; round < 20; round++) {
      const next = await authority.issue('shop.example');
      const files = [
        ['tls.crt', next.cert],
        ['tls.key', next.key],
      ] as const;
      for (const [name, content] of round % 2 === 0 ? files : files.toReversed()) {
        writeFileSync(join(folder, name), content);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      const written = performance.now();
      const expected = await serialOf(next);
      await expect.poll(() => serial(port), { timeout: 5000, interval: 20 }).toBe(expected);
      slowest = Math.max(slowest, performance.now() - written);
      expect(await serial(port, '')).toBe(expected);
    }
    running = false;
    await Promise.all(clients);
    expect(failures).toEqual([]);
    expect(handshakes).toBeGreaterThan(100);
    expect(slowest).toBeLessThan(2000);
    expect(await portico.metric('portico_listener_certificate_reloads_total{listener="https"}')).toBe(20);
    expect(await portico.metric('portico_listener_tls_handshake_failures_total{listener="https"}')).toBe(0);
  },
);

it('a mismatched pair keeps the old one and says so; the right key makes it good', async () => {
  const first = await authority.issue('shop.example');
  const { portico, folder } = await start(first);
  const next = await authority.issue('shop.example', 'www.shop.example');
  const failed = () => portico.metric('portico_listener_certificate_reload_failures_total{listener="https"}');
  writeFileSync(join(folder, 'tls.crt'), next.cert);
  await expect.poll(failed, { timeout: 5000 }).toBe(1);
  expect(await serial(portico.port())).toBe(await serialOf(first));
  writeFileSync(join(folder, 'tls.key'), 'no key at all');
  await expect.poll(failed, { timeout: 5000 }).toBe(2);
  rmSync(join(folder, 'tls.key'));
  await expect.poll(failed, { timeout: 5000 }).toBe(3);
  expect(await serial(portico.port())).toBe(await serialOf(first));
  writeFileSync(join(folder, 'tls.key'), next.key);
  await expect.poll(() => serial(portico.port()), { timeout: 5000 }).toBe(await serialOf(next));
});

it('the swap of the ..data link by which Kubernetes changes a Secret; open connections are left alone', async () => {
  const first = await authority.issue('shop.example');
  const { portico, folder } = await start(first);
  const old = connect({ port: portico.port(), ca: authority.cert, servername: 'shop.example' });
  await new Promise((resolve) => old.once('secureConnect', resolve));
  const mount = (at: string, pair: TestCertificate) => {
    mkdirSync(join(folder, at));
    write(join(folder, at), pair);
    symlinkSync(at, join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
  };
  mount('..one', first);
  for (const name of ['tls.crt', 'tls.key']) {
    symlinkSync(join('..data', name), join(folder, 'tmp'));
    renameSync(join(folder, 'tmp'), join(folder, name));
  }
  expect(await serial(portico.port())).toBe(await serialOf(first));
  const next = await authority.issue('shop.example');
  mount('..two', next);
  rmSync(join(folder, '..one'), { recursive: true });
  await expect.poll(() => serial(portico.port()), { timeout: 5000 }).toBe(await serialOf(next));
  const answer = new Promise<string>((resolve) => old.once('data', (chunk: Buffer) => resolve(chunk.toString())));
  old.write('GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n');
  expect(await answer).toMatch(/^HTTP\/1\.1 200 /);
  old.destroy();
});

it('the end of each certificate is a metric, by listener and first name', async () => {
  const first = await authority.issue('shop.example', 'www.shop.example');
  const { portico } = await start(first);
  const { X509Certificate } = await import('node:crypto');
  const end = new X509Certificate(first.cert).validToDate.getTime() / 1000;
  const line = 'portico_listener_certificate_expiry_timestamp_seconds{listener="https",name="shop.example"}';
  expect(await portico.metric(line)).toBe(end);
});

it.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'RE42 a %s session of before the new certificate is resumed or shakes hands anew; the client is served either way',
  async (maxVersion) => {
    const { portico, folder } = await start(await authority.issue('shop.example'));
    const ask = (session?: Buffer) =>
      new Promise<{ session: Buffer | undefined; status: string }>((resolve, reject) => {
        let ticket: Buffer | undefined;
        const socket = connect({
          port: portico.port(),
          ca: authority.cert,
          servername: 'shop.example',
          maxVersion,
          ...(session === undefined ? {} : { session }),
        });
        let text = '';
        socket.on('session', (made: Buffer) => (ticket = made));
        socket.on('secureConnect', () =>
          socket.write('GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n'),
        );
        socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
        socket.on('error', reject);
        socket.on('close', () => resolve({ session: ticket, status: text.slice(0, 12) }));
      });
    const { session } = await ask();
    expect(session).toBeDefined();
    expect(await ask(session)).toMatchObject({ status: 'HTTP/1.1 200' });
    const next = await authority.issue('shop.example');
    write(folder, next);
    await expect.poll(() => serial(portico.port()), { timeout: 5000 }).toBe(await serialOf(next));
    expect(await ask(session)).toMatchObject({ status: 'HTTP/1.1 200' });
    expect(await portico.metric('portico_listener_tls_handshake_failures_total{listener="https"}')).toBe(0);
  },
);
