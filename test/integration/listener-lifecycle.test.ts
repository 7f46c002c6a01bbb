import { existsSync, writeFileSync } from 'node:fs';
import { Agent, get, request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { describe, expect, it, onTestFinished } from 'vitest';
import { localReply, type Response } from '../../src/http/index.ts';
import { makeAuthority } from '../support/certificates.ts';
import { http1Codecs } from '../support/http1-codecs.ts';
import { exchangeRaw, folderOf, RawClient, startListener, statusesIn } from '../support/listener-harness.ts';

const authority = await makeAuthority();
const leaf = await authority.issue('test');

const ask = 'GET / HTTP/1.1\r\nHost: t\r\n\r\n';

describe('listening', () => {
  it('on a port that is taken says who, where and why in one line', async () => {
    const { port } = await startListener();
    await expect(startListener({ config: { name: 'https', address: `127.0.0.1:${port}` } })).rejects.toThrow(
      `listener https: cannot listen on 127.0.0.1:${port}: address already in use`,
    );
    await expect(startListener({ config: { address: '192.0.2.1:80' } })).rejects.toThrow(
      'this host has no such address',
    );
  });

  it('on IPv6 works, and IPv4 clients of a dual stack are shown without the mapping', async () => {
    const { port, logs, listener } = await startListener({ config: { address: '[::]:0' } });
    expect(listener.show().address).toBe(`[::]:${port}`);
    const six = new RawClient(connect({ port, host: '::1' }));
    six.write(ask);
    await six.expects('GET /\n');
    await exchangeRaw(port, 'GET / HTTP/1.0\r\n\r\n');
    expect((await logs(2)).map(({ clientAddress }) => clientAddress)).toEqual(['::1', '127.0.0.1']);
  });

  it('on a unix socket removes what a killed process left, and nothing else', async () => {
    const folder = folderOf({});
    const path = join(folder, 'portico.sock');
    const leaver = spawn(process.execPath, [
      '-e',
      `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log('up'))`,
    ]);
    await new Promise((resolve) => leaver.stdout.once('data', resolve));
    await expect(startListener({ config: { address: `unix:${path}` } })).rejects.toThrow(
      `cannot listen on unix:${path}: address already in use`,
    );
    const left = new Promise((resolve) => leaver.once('exit', resolve));
    leaver.kill('SIGKILL');
    await left;
    expect(existsSync(path)).toBe(true);

    const { listener, logs } = await startListener({ config: { address: `unix:${path}` } });
    const text = await new Promise<string>((resolve, reject) => {
      get({ socketPath: path, path: '/', agent: false }, (response) =>
        response.on('data', (chunk) => resolve(String(chunk))),
      ).on('error', reject);
    });
    expect(text).toBe('GET /\n');
    const [exchange] = await logs(1);
    expect(exchange!.clientAddress).toBe('unix');
    expect(exchange!.request.headers.has('x-forwarded-for')).toBe(false);
    await listener.close(0);
    expect(existsSync(path)).toBe(false);

    const file = join(folder, 'file');
    writeFileSync(file, 'precious');
    await expect(startListener({ config: { address: `unix:${file}` } })).rejects.toThrow('address already in use');
    expect(existsSync(file)).toBe(true);
  });

  it('closes connections beyond max_connections', async () => {
    const { port } = await startListener({
      config: { max_connections: 1 },
      answer: ({ request }) =>
        request.path === '/busy' ? new Promise(() => {}) : localReply(200, 'ok', { body: 'GET /\n' }),
    });
    const client = await RawClient.connect(port);
    client.write('GET /busy HTTP/1.1\r\nHost: t\r\n\r\n');
    expect(await exchangeRaw(port, ask)).toBe('');
    client.socket.destroy();
    await expect.poll(() => exchangeRaw(port, 'GET / HTTP/1.0\r\n\r\n').catch(() => '')).toContain('200');
  });

  it('speaks only the protocol it is told', async () => {
    const one = await startListener({ config: { protocol: 'http1' } });
    expect(await exchangeRaw(one.port, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')).not.toContain(' 200 ');
    expect(one.answered).toHaveLength(0);
    const two = await startListener({ config: { protocol: 'http2' } });
    expect(await exchangeRaw(two.port, ask)).not.toContain('HTTP/1.1 200');
    expect(two.answered).toHaveLength(0);
  });

  it('tells the protocols apart however the first bytes arrive', async () => {
    const { port } = await startListener();
    const client = await RawClient.connect(port);
    for (const byte of 'PROPFIND / HTTP/1.1\r\nHost: t\r\n\r\n') {
      client.write(byte);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await client.expects('PROPFIND /\n');
    const other = await RawClient.connect(port);
    for (const byte of 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0') {
      other.write(byte);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await other.until(({ received }) => received.length >= 9);
  });
});

describe.each(http1Codecs)('%s: drain', (_name, http1) => {
  it('lets running exchanges finish, says so in answers, and closes what is idle', async () => {
    let release: (response: Response) => void = () => {};
    const { listener, port, answered } = await startListener({
      http1,
      answer: ({ request: { path } }) =>
        path === '/slow' ? new Promise((resolve) => (release = resolve)) : localReply(200, 'ok', { body: `${path}\n` }),
    });
    const idle = await RawClient.connect(port);
    idle.write('GET /idle HTTP/1.1\r\nHost: t\r\n\r\n');
    await idle.expects('/idle\n');
    const silent = await RawClient.connect(port);
    const slow = await RawClient.connect(port);
    slow.write('GET /slow HTTP/1.1\r\nHost: t\r\n\r\n');
    await expect.poll(() => answered.length).toBe(2);

    listener.drain();
    const late = await RawClient.connect(port);
    late.write('GET /late HTTP/1.1\r\nHost: t\r\n\r\n');
    expect((await late.end()).toLowerCase()).toContain('connection: close');

    const closing = listener.close(5000);
    await idle.end();
    await silent.end();
    expect(listener.show()).toMatchObject({ active_exchanges: 1 });
    release(localReply(200, 'ok', { body: 'done\n' }));
    expect(await slow.end()).toContain('done');
    expect(await closing).toEqual({ forced: 0 });
    expect(listener.show()).toMatchObject({ connections: 0, active_exchanges: 0 });
    await expect(RawClient.connect(port)).rejects.toThrow('ECONNREFUSED');
  });

  it('cuts what has not finished at the deadline, and counts it', async () => {
    const { listener, port, answered, logs } = await startListener({ http1, answer: () => new Promise(() => {}) });
    const client = await RawClient.connect(port);
    client.write(ask);
    await expect.poll(() => answered.length).toBe(1);
    expect(await listener.close(100)).toEqual({ forced: 1 });
    expect((await logs(1))[0]!.responseFlags).toEqual(['DC']);
  });

  // Not promised, because no server can: requests on connections that the kernel has completed and the proxy has not
  // accepted when the listening socket is closed. Clients must have been turned away before, hence `pre_drain_delay`.
  it('fails no request of clients that ask on while it drains', async () => {
    const { listener, port } = await startListener({
      http1,
      answer: () => new Promise((resolve) => setTimeout(() => resolve(localReply(200, 'ok')), 5)),
    });
    const agent = new Agent({ keepAlive: true });
    onTestFinished(() => agent.destroy());
    let stop = false;
    let done = 0;
    let closes = 0;
    const failed: string[] = [];
    const worker = async () => {
      while (!stop) {
        await new Promise<void>((resolve) => {
          request({ port, host: '127.0.0.1', agent }, (response) => {
            done++;
            if (response.headers.connection === 'close') closes++;
            response.resume().on('end', resolve);
          })
            .on('error', (error) => {
              failed.push(error.message);
              resolve();
            })
            .end();
        });
      }
    };
    const workers = Array.from({ length: 8 }, worker);
    await expect.poll(() => done).toBeGreaterThan(50);
    expect(closes).toBe(0);
    listener.drain();
    await expect.poll(() => closes).toBeGreaterThan(50);
    stop = true;
    await Promise.all(workers);
    expect(await listener.close(5000)).toEqual({ forced: 0 });
    expect(failed).toEqual([]);
  });

  it.each(['auto', 'http1', 'tls'] as const)(
    'answers a request that was on its way on a connection it had accepted (%s)',
    async (kind) => {
      const { cert, key } = leaf;
      const folder = folderOf({ 'a.crt': cert, 'a.key': key });
      const tls = { certificates: [{ certificate_chain: 'a.crt', private_key: 'a.key' }] };
      const { listener, port } = await startListener({
        http1,
        folder,
        config: kind === 'tls' ? { tls } : { protocol: kind },
      });
      const socket =
        kind === 'tls'
          ? connectTls({ port, host: '127.0.0.1', ca: authority.cert, servername: 'test', ALPNProtocols: ['http/1.1'] })
          : connect({ port, host: '127.0.0.1', allowHalfOpen: true });
      await new Promise((resolve) => socket.once(kind === 'tls' ? 'secureConnect' : 'connect', resolve));
      const client = new RawClient(socket);
      await expect.poll(() => listener.show().connections).toBe(1);
      const closing = listener.close(5000);
      // Longer than the interval at which idle connections are looked for.
      await new Promise((resolve) => setTimeout(resolve, 80));
      client.write(ask);
      expect(statusesIn(await client.end())).toEqual([200]);
      expect(await closing).toEqual({ forced: 0 });
    },
  );
});

describe('drain of HTTP/2', () => {
  it('announces the end with GOAWAY, takes what is on its way, and lets streams finish', async () => {
    let release: (response: Response) => void = () => {};
    const { listener, port, answered } = await startListener({
      answer: () => new Promise((resolve) => (release = resolve)),
    });
    const client = connectHttp2(`http://127.0.0.1:${port}`);
    client.on('error', () => {});
    const goaways: [number, number][] = [];
    client.on('goaway', (code: number, last: number) => goaways.push([code, last]));
    const stream = client.request({ ':path': '/' });
    const status = new Promise((resolve) => stream.on('response', (headers) => resolve(headers[':status'])));
    await expect.poll(() => answered.length).toBe(1);
    listener.drain();
    await expect.poll(() => goaways[0]).toEqual([0, 2 ** 31 - 1]);
    const closing = listener.close(5000);
    release(localReply(200, 'ok'));
    expect(await status).toBe(200);
    expect(await closing).toEqual({ forced: 0 });
  });
});
