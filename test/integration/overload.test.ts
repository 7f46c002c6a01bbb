import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { memoryShare } from '../../src/overload/memory-share.ts';
import { startApp } from '../support/app.ts';
import { exchangeRaw, RawClient } from '../support/listener-harness.ts';
import { startPortico, type PorticoOptions } from '../support/portico.ts';

const ask = 'GET / HTTP/1.1\r\nHost: t\r\n\r\n';

/** A portico before an app that answers only when it is told to, with an access log in a file. */
async function start(overload: string, options: PorticoOptions = {}) {
  const waiting: (() => void)[] = [];
  const app = await startApp((request, response) => {
    if (request.url === '/wait') waiting.push(() => response.end('late\n'));
    else response.end('now\n');
  });
  const folder = mkdtempSync(join(tmpdir(), 'portico-log-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const portico = await startPortico(
    `
listeners: [{ name: http, address: 127.0.0.1:0 }]
http_filters: [{ name: access-log, config: { path: '${folder}/access.log' } }]
overload: ${overload}
clusters: [{ name: app, endpoints: ['127.0.0.1:${app.port}'] }]`,
    options,
  );
  const lines = () =>
    readFileSync(`${folder}/access.log`, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { portico, port: portico.port(), app, waiting, lines };
}

function admin(port: number, path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    get({ port, host: '127.0.0.1', path }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode!, body }));
    }).on('error', reject);
  });
}

describe('too many exchanges', () => {
  it('are answered 503 with Retry-After while the running ones complete', async () => {
    const { portico, port, waiting, lines } = await start('{ max_exchanges: 2 }');
    const running = [await RawClient.connect(port), await RawClient.connect(port)];
    for (const client of running) client.write('GET /wait HTTP/1.1\r\nHost: t\r\n\r\n');
    await expect.poll(() => waiting.length).toBe(2);

    const refused = await RawClient.connect(port);
    const text = await refused.write(ask).expects('overload_exchanges\n');
    expect(text).toMatch(/^HTTP\/1\.1 503 /);
    expect(text).toMatch(/^retry-after: 1\r$/im);
    const http2 = connectHttp2(`http://127.0.0.1:${port}`);
    onTestFinished(() => http2.destroy());
    const status = await new Promise((resolve) =>
      http2.request({ ':path': '/' }).on('response', (headers) => resolve(headers[':status'])),
    );
    expect(status).toBe(503);
    expect((await admin(portico.adminPort, '/ready')).status).toBe(200);

    for (const release of waiting) release();
    for (const client of running) await client.expects('late\n');
    refused.received = '';
    await refused.write(ask).expects('now\n');
    expect(await portico.metric('portico_overload_refused_total{trigger="exchanges"}')).toBe(2);
    expect(await portico.metric('portico_http_response_flags_total{flag="OM"}')).toBe(2);
    expect(await portico.metric('portico_overload_state{trigger="exchanges"}')).toBe(0);
    await expect.poll(() => lines().filter(({ flags }) => flags === 'OM').length).toBe(2);
    expect(lines().find(({ flags }) => flags === 'OM')).toMatchObject({ status: 503, details: 'overload_exchanges' });
  });
});

describe('too many connections of all listeners', () => {
  it('close idle ones, and are refused when there are none', async () => {
    const { portico, port, waiting } = await start('{ max_connections: 2 }');
    const idle = await RawClient.connect(port);
    await idle.write(ask).expects('now\n');
    const busy = await RawClient.connect(port);
    busy.write('GET /wait HTTP/1.1\r\nHost: t\r\n\r\n');
    const third = await RawClient.connect(port);
    third.write('GET /wait HTTP/1.1\r\nHost: t\r\n\r\n');
    await idle.end();
    await expect.poll(() => waiting.length).toBe(2);
    expect(await exchangeRaw(port, ask)).toBe('');
    expect(await portico.metric('portico_overload_refused_total{trigger="connections"}')).toBe(1);
    expect(await portico.metric('portico_listener_connections_refused_total{listener="http",reason="overload"}')).toBe(
      1,
    );
    expect((await admin(portico.adminPort, '/ready')).status).toBe(200);
    for (const release of waiting) release();
    await busy.expects('late\n');
    await third.expects('late\n');
  });
});

describe('memory that fills up', () => {
  it('refuses exchanges and keeps no connection, then refuses connections, and all is well when it empties', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'portico-cgroup-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    writeFileSync(join(folder, 'memory.max'), '1000\n');
    const use = (bytes: number) => writeFileSync(join(folder, 'memory.current'), `${bytes}\n`);
    use(100);
    const { portico, port, waiting } = await start('{}', {
      overload: { memory: memoryShare({ root: folder, self: join(folder, 'self') }, () => 0) },
    });
    const state = () => portico.metric('portico_overload_state{trigger="memory"}');
    const running = await RawClient.connect(port);
    running.write('GET /wait HTTP/1.1\r\nHost: t\r\n\r\n');
    const client = await RawClient.connect(port);
    await client.write(ask).expects('now\n');
    const http2 = connectHttp2(`http://127.0.0.1:${port}`);
    onTestFinished(() => http2.destroy());
    const late = http2.request({ ':path': '/wait' });
    late.setEncoding('utf8');
    await expect.poll(() => waiting.length).toBe(2);

    use(930);
    await expect.poll(state).toBe(1);
    const text = await client.write(ask).end();
    expect(text).toContain('HTTP/1.1 503');
    expect(text).toMatch(/connection: close\r\n[^]*overload_memory\n/i);
    expect(text).toMatch(/^retry-after: 1\r$/im);
    // HTTP/2 says so by GOAWAY, and lets running streams end.
    const goaway = new Promise((resolve) => http2.once('goaway', resolve));
    const asked = http2.request({ ':path': '/' }).resume();
    const refused = await new Promise((resolve) => asked.on('response', (headers) => resolve(headers[':status'])));
    expect([refused, await goaway]).toEqual([503, 0]);

    use(980);
    await expect.poll(state).toBe(2);
    expect(await exchangeRaw(port, ask)).toBe('');
    const info = JSON.parse((await admin(portico.adminPort, '/server_info')).body) as { overload: unknown[] };
    expect(info.overload).toContainEqual({ trigger: 'memory', level: 'refuse', value: 0.98, limit: 0.92 });
    const closed = new Promise((resolve) => http2.once('close', resolve));
    for (const release of waiting) release();
    await running.expects('late\n');
    expect(await new Promise((resolve) => late.once('data', resolve))).toBe('late\n');
    await closed;

    use(100);
    await expect.poll(state).toBe(0);
    expect(await exchangeRaw(port, 'GET / HTTP/1.0\r\nHost: t\r\n\r\n')).toContain('now\n');
  });
});

describe('an event loop that is late', () => {
  it('makes new exchanges be refused, and taken again when it keeps up', async () => {
    const { portico, port } = await start('{ event_loop_delay_shed: 100ms }');
    let stalling = true;
    const stall = () => {
      const until = performance.now() + 200;
      while (performance.now() < until);
      if (stalling) setTimeout(stall, 1);
    };
    stall();
    await expect
      .poll(() => exchangeRaw(port, 'GET / HTTP/1.0\r\nHost: t\r\n\r\n'), { timeout: 15_000, interval: 300 })
      .toMatch(/503 [^]*overload_event_loop/);
    stalling = false;
    await expect
      .poll(() => exchangeRaw(port, 'GET / HTTP/1.0\r\nHost: t\r\n\r\n'), { timeout: 5000 })
      .toContain('now\n');
    expect(await portico.metric('portico_overload_state{trigger="event_loop"}')).toBe(0);
    expect(await portico.metric('portico_overload_refused_total{trigger="event_loop"}')).toBeGreaterThan(0);
  });

  it('once, for however long, refuses nobody and calls nobody late', async () => {
    const { portico, port } = await start('{ event_loop_delay_shed: 100ms }');
    const client = await RawClient.connect(port);
    await client.write(ask).expects('now\n');
    const until = performance.now() + 1500;
    client.received = '';
    client.write(ask);
    while (performance.now() < until);
    await client.expects('now\n');
    expect(await portico.metric('portico_overload_refused_total{trigger="event_loop"}')).toBe(0);
  });
});
