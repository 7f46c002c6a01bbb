import { createServer as createHttp } from 'node:http';
import {
  createServer as createHttp2,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { createServer as createTcp, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import * as v from 'valibot';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createHealthSource, healthSchema } from '../../../../src/metrics/health/index.ts';
import { judgeResult, noVerdict } from '../../../../src/metrics/health/health-verdict.ts';
import { folderOf } from '../../../support/folder-of.ts';
import { samplesOf, sourceDeps } from '../../../support/source-deps.ts';

async function listen(server: Server | Http2Server, path?: string): Promise<string> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(path ?? { host: '127.0.0.1', port: 0 }, resolve));
  return path === undefined ? `127.0.0.1:${(server.address() as AddressInfo).port}` : `unix:${path}`;
}

function source(check: object, more: object[] = []) {
  const deps = sourceDeps();
  const created = createHealthSource(
    v.parse(healthSchema, { checks: [{ name: 'main', timeout: '5s', interval: '20ms', ...check }, ...more] }),
    deps,
  );
  onTestFinished(() => created.close());
  const values = async () => samplesOf(await created.families(0));
  /** Waits for samples such as these. */
  const until = (wanted: Record<string, string>) =>
    expect.poll(values, { timeout: 15_000, interval: 5 }).toMatchObject(wanted);
  return { created, deps, values, until };
}

const healthy = { 'portico_app_health_status{check="main"}': '1' };
const unhealthyBy = (reason: string) => ({
  'portico_app_health_status{check="main"}': '0',
  [`portico_app_health_failures_total{check="main",reason="${reason}"}`]: expect.stringMatching(/^[1-9]/) as string,
});
const once = { unhealthy_threshold: 1 };

describe('a check over HTTP', () => {
  it('asks as it is told and looks at the status', async () => {
    const asked: string[] = [];
    const at = await listen(
      createHttp((request, response) => {
        asked.push(`${request.method} ${request.url} ${request.headers.host}`);
        response.writeHead(204).end();
      }),
    );
    const { until, values } = source({ http: { address: at, path: '/healthz?x', host: 'app.example' } });
    await until(healthy);
    expect(asked[0]).toBe('GET /healthz?x app.example');
    expect(Number((await values())['portico_app_health_duration_seconds{check="main"}'])).toBeGreaterThan(0);
  });

  it.each([
    [[200, { min: 400, max: 404 }], 404, healthy],
    [[200, { min: 400, max: 404 }], 405, unhealthyBy('status')],
    [undefined, 503, unhealthyBy('status')],
  ])('takes %j for healthy: %i', async (expected_statuses, status, wanted) => {
    const at = await listen(createHttp((_request, response) => response.writeHead(status).end('body')));
    await source({ ...once, http: { address: at, ...(expected_statuses && { expected_statuses }) } }).until(wanted);
  });

  it('reaches a Unix socket', async () => {
    const at = await listen(
      createHttp((_request, response) => response.end()),
      join(folderOf(), 'app.sock'),
    );
    await source({ http: { address: at } }).until(healthy);
  });

  it('fails by timeout when nothing is answered, and closes the connection', async () => {
    const closed = Promise.withResolvers<void>();
    const at = await listen(createTcp((socket) => socket.resume().once('close', () => closed.resolve())));
    await source({ ...once, timeout: '50ms', http: { address: at } }).until(unhealthyBy('timeout'));
    await closed.promise;
  });

  it.each([
    ['reset', (socket: Socket) => void socket.once('data', () => socket.destroy())],
    ['malformed', (socket: Socket) => void socket.once('data', () => socket.end('SSH-2.0-nothing\r\n\r\n'))],
  ])('fails by %s', async (reason, answer) => {
    const at = await listen(createTcp(answer));
    await source({ ...once, http: { address: at } }).until(unhealthyBy(reason));
  });
});

describe('a check over TCP', () => {
  it('is content with a connection', async () => {
    await source({ tcp: { address: await listen(createTcp()) } }).until(healthy);
  });

  it('fails when nobody listens, after so many times, and says so once', async () => {
    const server = createTcp();
    const at = await listen(server);
    await new Promise((resolve) => server.close(resolve));
    const { until, deps, values } = source({ unhealthy_threshold: 3, tcp: { address: at } });
    await until(unhealthyBy('connect'));
    const failures = (await values())['portico_app_health_failures_total{check="main",reason="connect"}'];
    expect(Number(failures)).toBeGreaterThanOrEqual(3);
    expect(deps.lines).toEqual(['the app is unhealthy']);
  });
});

describe('a check over gRPC', () => {
  async function grpcApp(answer: { status?: number; http?: number; serving?: number; bytes?: Buffer }) {
    const asked: { path: string; body: Buffer }[] = [];
    const server = createHttp2();
    server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('error', () => {});
      stream.on('end', () => {
        asked.push({ path: headers[':path']!, body: Buffer.concat(chunks) });
        const head = { ':status': answer.http ?? 200, 'content-type': 'application/grpc' };
        if (answer.status !== undefined) {
          stream.respond({ ...head, 'grpc-status': String(answer.status) }, { endStream: true });
          return;
        }
        stream.respond(head, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
        stream.end(answer.bytes ?? Buffer.from([0, 0, 0, 0, 2, 8, answer.serving ?? 1]));
      });
    });
    return { at: await listen(server), asked };
  }

  it('asks about a service', async () => {
    const { at, asked } = await grpcApp({});
    await source({ grpc: { address: at, service: 'shop.Cart' } }).until(healthy);
    expect(asked[0]).toEqual({
      path: '/grpc.health.v1.Health/Check',
      body: Buffer.concat([Buffer.from([0, 0, 0, 0, 11, 10, 9]), Buffer.from('shop.Cart')]),
    });
  });

  it.each([
    ['the service does not serve', { serving: 2 }, 'not_serving'],
    ['its state is not known', { bytes: Buffer.alloc(5) }, 'not_serving'],
    ['the service is not known', { status: 5 }, 'status'],
    ['the answer is not gRPC', { http: 404 }, 'status'],
    ['the message is another one', { bytes: Buffer.from('hello') }, 'malformed'],
    ['the message does not end', { bytes: Buffer.alloc(4096) }, 'malformed'],
  ])('fails when %s', async (_what, answer, reason) => {
    const { at } = await grpcApp(answer);
    await source({ ...once, grpc: { address: at } }).until(unhealthyBy(reason));
  });

  it('fails when nobody listens, when the connection breaks, and when the app speaks HTTP/1', async () => {
    const server = createTcp();
    const nobody = await listen(server);
    await new Promise((resolve) => server.close(resolve));
    await source({ ...once, grpc: { address: nobody } }).until(unhealthyBy('connect'));
    const breaking = await listen(createTcp((socket) => void socket.once('data', () => socket.destroy())));
    await source({ ...once, grpc: { address: breaking } }).until(unhealthyBy('reset'));
    const old = await listen(
      createTcp((socket) => void socket.once('data', () => socket.write('HTTP/1.1 400 Bad\r\n\r\n'))),
    );
    await source({ ...once, grpc: { address: old } }).until({ 'portico_app_health_status{check="main"}': '0' });
  });
});

describe('the verdict on health', () => {
  it.each([
    ['is good at the first success', '+', 'healthy'],
    ['is open before it has had its chances', '--', 'unknown'],
    ['is bad after three failures', '---', 'unhealthy'],
    ['stays good when failures are not in a row', '+--+--', 'healthy'],
    ['stays bad when successes are not in a row', '---+-+', 'unhealthy'],
    ['is good again after two successes', '---++', 'healthy'],
  ])('%s', (_what, results, health) => {
    const thresholds = { healthy_threshold: 2, unhealthy_threshold: 3 };
    const verdict = [...results].reduce((before, each) => judgeResult(before, each === '+', thresholds), noVerdict);
    expect(verdict.health).toBe(health);
  });
});

describe('readiness', () => {
  it('follows the checks that are required, and no others', async () => {
    let status = 503;
    const at = await listen(createHttp((_request, response) => response.writeHead(status).end()));
    const { created, until } = source({ ...once, required: true, http: { address: at } }, [
      { name: 'other', tcp: { address: 'unix:/nowhere/at-all.sock' } },
    ]);
    expect(created.ready()).toBe(false);
    await until(unhealthyBy('status'));
    expect(created.ready()).toBe(false);
    status = 200;
    await until(healthy);
    expect(created.ready()).toBe(true);
  });
});
