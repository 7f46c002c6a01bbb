import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent, request as send, type IncomingHttpHeaders, type RequestOptions } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import * as v from 'valibot';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  adminEndpoints,
  adminSchema,
  createAdmin,
  proxyEndpoints,
  text,
  type AdminEndpoint,
  type ProxyView,
} from '../../src/admin/index.ts';
import { processMetrics } from '../../src/stats/process-metrics.ts';
import { adminView } from '../support/admin-view.ts';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly body: string;
}

async function start({
  view = adminView(),
  more = [],
  ...options
}: { view?: ProxyView; more?: AdminEndpoint[] } & Partial<v.InferInput<typeof adminSchema>> = {}) {
  const admin = createAdmin(v.parse(adminSchema, { address: '127.0.0.1:0', ...options }), {
    view,
    endpoints: adminEndpoints([...proxyEndpoints, ...more]),
  });
  await admin.listen();
  onTestFinished(() => admin.close());
  const at = admin.address();
  const where: RequestOptions = at.kind === 'tcp' ? { host: at.host, port: at.port } : { socketPath: at.path };

  const ask = (
    method: string,
    path: string,
    { headers = {}, body = '', agent }: { headers?: Record<string, string>; body?: string; agent?: Agent } = {},
  ) =>
    new Promise<Answer>((resolve, reject) => {
      const outgoing = send({ ...where, method, path, headers, agent: agent ?? false }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const bytes = Buffer.concat(chunks);
          resolve({ status: response.statusCode ?? 0, headers: response.headers, bytes, body: bytes.toString() });
        });
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  const open = async (): Promise<Socket> => {
    const socket = connect(at.kind === 'tcp' ? { host: at.host, port: at.port } : { path: at.path });
    socket.on('error', () => {});
    onTestFinished(() => void socket.destroy());
    await once(socket, 'connect');
    return socket;
  };
  return { admin, ask, open, view };
}

/** Everything that comes until the other side closes. */
async function rest(socket: Socket): Promise<string> {
  let all = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => (all += chunk));
  if (!socket.closed) await once(socket, 'close');
  return all;
}

describe('the admin interface', () => {
  it('answers each endpoint that only shows, with headers that keep pages and caches out', async () => {
    const { ask } = await start();
    for (const { path } of adminEndpoints(proxyEndpoints).filter((row) => !row.mutates)) {
      const { status, headers, bytes } = await ask('GET', path);
      expect({ path, status }).toEqual({ path, status: 200 });
      expect(headers).toMatchObject({
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'content-length': String(bytes.byteLength),
      });
      expect(headers['content-security-policy']).toContain("default-src 'none'");
    }
  });

  it('lists itself on a page whose style its policy allows', async () => {
    const { ask } = await start();
    const { headers, body } = await ask('GET', '/');
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    const style = /<style>([^]*)<\/style>/.exec(body)?.[1] ?? '';
    expect(headers['content-security-policy']).toContain(
      `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
    );
    for (const { path } of adminEndpoints(proxyEndpoints)) expect(body).toContain(path);
  });

  it('follows the state on /ready', async () => {
    let state: 'INITIALIZING' | 'LIVE' | 'DRAINING' = 'INITIALIZING';
    const { ask } = await start({ view: adminView({ state: () => state }) });
    const seen = [(await ask('GET', '/ready')).status];
    state = 'LIVE';
    seen.push((await ask('GET', '/ready')).status);
    state = 'DRAINING';
    seen.push((await ask('GET', '/ready')).status);
    expect(seen).toEqual([503, 200, 503]);
  });

  it('shows the configuration that the view masked', async () => {
    const { ask, view } = await start();
    expect(JSON.parse((await ask('GET', '/config_dump')).body)).toEqual(view.configDump());
  });

  it('answers HEAD with the head of GET', async () => {
    const { ask } = await start();
    const [get, head] = [await ask('GET', '/help'), await ask('HEAD', '/help')];
    expect(head.status).toBe(200);
    expect(head.bytes.byteLength).toBe(0);
    expect(head.headers['content-length']).toBe(get.headers['content-length']);
  });

  it('keeps connections alive', async () => {
    const { ask } = await start();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    let connections = 0;
    agent.on('free', () => connections++);
    await ask('GET', '/live', { agent });
    const [socket] = Object.values(agent.freeSockets).flat();
    await ask('POST', '/nothing', { agent, body: 'x'.repeat(1000) });
    expect(connections).toBe(2);
    expect(Object.values(agent.freeSockets).flat()[0]).toBe(socket);
  });

  it('logs and answers 500 when an endpoint fails', async () => {
    const view = adminView({
      clusters() {
        throw new Error('boom');
      },
    });
    const { ask } = await start({ view });
    expect((await ask('GET', '/clusters')).status).toBe(500);
    expect(view.lines).toEqual(['error admin endpoint failed']);
    expect((await ask('GET', '/live')).status).toBe(200);
  });
});

describe('/metrics', () => {
  it('is Prometheus text, compressed when asked', async () => {
    const view = adminView();
    onTestFinished(processMetrics(view.stats, { version: '1.2.3' }));
    const { ask } = await start({ view });
    const plain = await ask('GET', '/metrics');
    expect(plain.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(plain.headers).not.toHaveProperty('content-encoding');
    expect(plain.body).toContain(`portico_build_info{version="1.2.3",node_version="${process.versions.node}"} 1\n`);
    const packed = await ask('GET', '/metrics', { headers: { 'accept-encoding': 'deflate, gzip;q=0.5' } });
    expect(packed.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'accept-encoding' });
    expect(gunzipSync(packed.bytes).toString()).toContain('portico_build_info{');
    expect((await ask('GET', '/metrics', { headers: { 'accept-encoding': 'gzip;q=0' } })).headers).not.toHaveProperty(
      'content-encoding',
    );
  });

  it('pleases promtool', async ({ skip }) => {
    if (spawnSync('promtool', ['--version']).error !== undefined)
      skip('promtool is not here (apt-get install prometheus)');
    const view = adminView();
    onTestFinished(processMetrics(view.stats, { version: '1.2.3' }));
    const { ask } = await start({ view });
    const { stdout, stderr, status } = spawnSync('promtool', ['check', 'metrics'], {
      input: (await ask('GET', '/metrics')).bytes,
      encoding: 'utf8',
    });
    expect({ stdout, stderr, status }).toEqual({ stdout: '', stderr: '', status: 0 });
  });
});

describe('a change', () => {
  it('is made by POST and not by GET', async () => {
    const { ask, view } = await start();
    expect(await ask('GET', '/logging?level=debug')).toMatchObject({ status: 405, headers: { allow: 'POST' } });
    expect(view.log.level).toBe('info');
    expect(await ask('POST', '/logging?level=debug')).toMatchObject({ status: 200, body: 'level: debug (was info)\n' });
    expect(view.log.level).toBe('debug');
  });

  it.each<[string, Record<string, string>]>([
    ['another origin', { origin: 'http://evil.example' }],
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['a re-bound name', { host: 'evil.example' }],
    ['a client behind a proxy', { 'x-forwarded-for': '203.0.113.7' }],
  ])('is refused to %s', async (_, headers) => {
    const { ask, view } = await start();
    expect((await ask('POST', '/logging?level=debug', { headers })).status).toBe(403);
    expect(view.log.level).toBe('info');
  });

  it('cannot hide its origin behind a thousand headers', async () => {
    const { open, view } = await start();
    const socket = await open();
    const padding = Array.from({ length: 1200 }, () => 'a:\r\n').join('');
    socket.write(
      `POST /logging?level=debug HTTP/1.1\r\nHost: localhost\r\n${padding}Origin: http://evil.example\r\nConnection: close\r\n\r\n`,
    );
    expect(await rest(socket)).toMatch(/^HTTP\/1.1 (?:403|431) /);
    expect(view.log.level).toBe('info');
  });

  it('comes through a unix socket too', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'portico-admin-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const { ask, view } = await start({ address: `unix:${join(folder, 'admin.sock')}` });
    expect((await ask('POST', '/logging?level=warn')).status).toBe(200);
    expect(view.log.level).toBe('warn');
  });
});

describe('reading', () => {
  it('is refused to a re-bound name, and open to the address that a probe of Kubernetes sends', async () => {
    const { ask } = await start();
    expect((await ask('GET', '/config_dump', { headers: { host: 'evil.example:9090' } })).status).toBe(403);
    expect((await ask('GET', '/ready', { headers: { host: '10.244.0.7:9090' } })).status).toBe(200);
  });

  it('works with HTTP/1.0 without Host, as old load balancers probe', async () => {
    const { open } = await start();
    const socket = await open();
    socket.write('GET /ready HTTP/1.0\r\n\r\n');
    expect(await rest(socket)).toMatch(/^HTTP\/1.1 200 OK\r\n[^]*\r\n\r\nLIVE\n$/);
  });
});

describe('bad clients', () => {
  it('get 413 for a body that is too large, announced or not', async () => {
    const { ask, open } = await start();
    expect((await ask('POST', '/logging?level=debug', { body: 'x'.repeat(70_000) })).status).toBe(413);
    const socket = await open();
    socket.write('POST /logging HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n');
    for (let sent = 0; sent < 5; sent++) socket.write(`4000\r\n${'x'.repeat(0x4000)}\r\n`);
    expect(await rest(socket)).toMatch(/^HTTP\/1.1 413 /);
  });

  it.each([
    ['nonsense', 'hello\r\n\r\n', '400'],
    ['a header that is too large', `GET / HTTP/1.1\r\nHost: localhost\r\nA: ${'a'.repeat(20_000)}\r\n\r\n`, '431'],
    ['no Host', 'GET /ready HTTP/1.1\r\nConnection: close\r\n\r\n', '400'],
    ['two Hosts', 'GET /ready HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n', '40[03]'],
    ['a whole URL', 'GET http://evil.example/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', '400'],
    ['a length that is not one', 'POST /logging HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n', '400'],
  ])('that send %s are refused and forgotten', async (_, bytes, status) => {
    const { ask, open } = await start();
    const socket = await open();
    socket.write(bytes);
    expect(await rest(socket)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect((await ask('GET', '/live')).status).toBe(200);
  });

  it('that leave in the middle do no harm', async () => {
    const { ask, open, view } = await start();
    for (const bytes of [
      '',
      'GET /met',
      'POST /logging?level=debug HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc',
    ]) {
      const socket = await open();
      socket.write(bytes);
      socket.resetAndDestroy();
    }
    expect((await ask('GET', '/live')).status).toBe(200);
    expect(view.log.level).toBe('info');
  });

  it('that hoard connections do not keep probes out', async () => {
    const { ask, open } = await start({ max_connections: 4 });
    const hoard = await Promise.all(Array.from({ length: 4 }, open));
    const first = once(hoard[0]!, 'close');
    hoard[0]!.resume();
    for (let probe = 0; probe < 10; probe++) expect((await ask('GET', '/ready')).status).toBe(200);
    await first;
  });

  it('beyond the limit are turned away while all others are being answered', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    let running = 0;
    let allRunning = () => {};
    const full = new Promise<void>((resolve) => (allRunning = resolve));
    const slow: AdminEndpoint = {
      path: '/slow',
      doc: 'Waits.',
      mutates: false,
      async render() {
        if (++running === 2) allRunning();
        await held;
        return text('done\n');
      },
    };
    const { ask } = await start({ max_connections: 2, more: [slow] });
    const both = [ask('GET', '/slow'), ask('GET', '/slow')];
    await full;
    await expect(ask('GET', '/live')).rejects.toMatchObject({ code: 'ECONNRESET' });
    release();
    expect((await Promise.all(both)).map((answer) => answer.body)).toEqual(['done\n', 'done\n']);
    expect((await ask('GET', '/live')).status).toBe(200);
  });
});

describe('starting and stopping', () => {
  it('says in one line that the port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void other.close());
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    await expect(start({ address: `127.0.0.1:${port}` })).rejects.toThrow(
      `admin: cannot listen on 127.0.0.1:${port}: somebody else listens there already`,
    );
  });

  it('takes over a socket file that a crash left behind, but not a living one', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'portico-admin-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const path = join(folder, 'admin.sock');
    // A child that dies without closing leaves the file.
    const left = spawnSync(process.execPath, [
      '-e',
      `require('net').createServer().listen(${JSON.stringify(path)},()=>process.kill(process.pid,'SIGKILL'))`,
    ]);
    expect(left.signal).toBe('SIGKILL');
    const { ask } = await start({ address: `unix:${path}` });
    expect((await ask('GET', '/live')).status).toBe(200);
    await expect(start({ address: `unix:${path}` })).rejects.toThrow('somebody else listens there already');
    expect((await ask('GET', '/live')).status).toBe(200);
  });

  it('does not delete a file that is no socket', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'portico-admin-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, 'precious'), 'data');
    await expect(start({ address: `unix:${join(folder, 'precious')}` })).rejects.toThrow('cannot listen');
  });

  it('finishes running answers and closes idle connections', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    let began = () => {};
    const running = new Promise<void>((resolve) => (began = resolve));
    const slow: AdminEndpoint = {
      path: '/slow',
      doc: 'Waits.',
      mutates: false,
      async render() {
        began();
        await held;
        return text('done\n');
      },
    };
    const { admin, ask, open } = await start({ more: [slow] });
    const idle = await open();
    const last = ask('GET', '/slow');
    await running;
    const closed = admin.close();
    await rest(idle);
    release();
    expect((await last).body).toBe('done\n');
    await closed;
    await expect(ask('GET', '/live')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('does not wait for ever for an answer that does not come', async () => {
    let began = () => {};
    const running = new Promise<void>((resolve) => (began = resolve));
    const never: AdminEndpoint = {
      path: '/never',
      doc: 'Never.',
      mutates: false,
      render: () => {
        began();
        return new Promise(() => {});
      },
    };
    const { admin, ask } = await start({ more: [never] });
    const lost = expect(ask('GET', '/never')).rejects.toMatchObject({ code: 'ECONNRESET' });
    await running;
    await admin.close();
    await lost;
  });
});
