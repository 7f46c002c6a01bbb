import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import tls from 'node:tls';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { probe, type ProbeKind, type ProbeOutcome } from '../../src/cluster/health-probe/probe.ts';
import type { SocketTls } from '../../src/cluster/upstream-socket.ts';
import { makeAuthority, type TestAuthority } from '../support/certificates.ts';
import { eventually, startCluster, startUpstream } from '../support/cluster-harness.ts';
import { response, type Script } from '../support/scripted-upstream.ts';

type Answer = (stream: http2.ServerHttp2Stream, asked: { path: string; body: Buffer }) => void;

const statuses = { SERVING: 1, NOT_SERVING: 2 };
const json = 'application/json';

/** A health service that says this. */
function says(status: keyof typeof statuses): Answer {
  return (stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(Buffer.from([0, 0, 0, 0, 2, 8, statuses[status]]));
  };
}

/** Ends the call without a message. */
function fails(code: number): Answer {
  return (stream) =>
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': code }, { endStream: true });
}

async function grpcServer(answer: Answer, credentials?: { cert: string; key: string }) {
  const server: http2.Http2Server =
    credentials === undefined ? http2.createServer() : http2.createSecureServer(credentials);
  const sessions = new Set<http2.ServerHttp2Session>();
  const state = { answer };
  server.on('session', (session: http2.ServerHttp2Session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session)).on('error', () => {});
  });
  server.on('stream', (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => {
    const chunks: Buffer[] = [];
    stream.on('error', () => {});
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => state.answer(stream, { path: headers[':path']!, body: Buffer.concat(chunks) }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { port, address: `127.0.0.1:${port}`, sessions, state };
}

function ask(port: number, what: ProbeKind, secure?: SocketTls): Promise<ProbeOutcome> {
  const addresses = [{ address: '127.0.0.1', family: 4 as const }];
  const target = { kind: 'tcp', host: 'app.example', addresses, port } as const;
  return new Promise((resolve) => {
    probe(what, { address: `127.0.0.1:${port}`, target }, { timeout: 2000, tls: secure }, resolve);
  });
}

const grpc: ProbeKind = { kind: 'grpc', service: 'shop.Cart', authority: 'app.example' };

describe('a gRPC health check', () => {
  it.each<[string, Answer, ProbeOutcome]>([
    ['that is well', says('SERVING'), { result: 'good', found: 'SERVING' }],
    ['that is not', says('NOT_SERVING'), { result: 'bad', found: 'NOT_SERVING' }],
    ['that has no health service', fails(12), { result: 'bad', found: 'UNIMPLEMENTED' }],
    ['that does not know the service', fails(5), { result: 'bad', found: 'NOT_FOUND' }],
    ['that fails otherwise', fails(13), { result: 'bad', found: 'grpc-status 13' }],
    [
      'that speaks HTTP/2, but not gRPC',
      (stream) => {
        stream.respond({ ':status': 404, 'content-type': json });
        stream.end('{}');
      },
      { result: 'bad', found: 'status 404' },
    ],
    [
      'that answers without grpc-status',
      (stream) => {
        stream.respond({ ':status': 200 });
        stream.end('hello');
      },
      { result: 'silent', found: 'an answer without grpc-status' },
    ],
    [
      'that sends without end',
      (stream) => {
        stream.respond({ ':status': 200 });
        stream.write(Buffer.alloc(100_000));
      },
      { result: 'bad', found: 'an answer that is too large' },
    ],
    ['that is silent', () => {}, { result: 'silent', found: 'nothing in 2000 ms' }],
  ])('of a server %s', async (_name, answer, outcome) => {
    const server = await grpcServer(answer);
    expect(await ask(server.port, grpc)).toEqual(outcome);
    await eventually(() => server.sessions.size === 0, 'its connection is closed');
  });

  it('asks for the service by name', async () => {
    let asked: { path: string; body: Buffer } | undefined;
    const server = await grpcServer((stream, request) => {
      asked = request;
      says('SERVING')(stream, request);
    });
    await ask(server.port, grpc);
    expect(asked!.path).toBe('/grpc.health.v1.Health/Check');
    expect(asked!.body.toString('latin1')).toBe('\0\0\0\0\x0b\n\x09shop.Cart');
  });

  const notHttp2: Script = async (connection) => {
    await connection.write(response(400));
    connection.fin();
  };
  it.each<[string, Script]>([
    ['HTTP/1.1 only', notHttp2],
    ['nothing and ends it', (connection) => connection.fin()],
    ['nothing and resets it', (connection) => connection.rst()],
  ])('of a server that speaks %s is silent', async (_name, script) => {
    const upstream = await startUpstream(script);
    expect((await ask(upstream.port, grpc)).result).toBe('silent');
  });

  it('of nobody is silent', async () => {
    const upstream = await startUpstream(notHttp2);
    await upstream.close();
    expect(await ask(upstream.port, grpc)).toEqual({
      result: 'silent',
      found: 'upstream_connect_failure{connection_refused}',
    });
  });

  describe('over TLS', () => {
    let authority: TestAuthority;
    beforeAll(async () => {
      authority = await makeAuthority();
    });

    it('offers h2', async () => {
      const server = await grpcServer(says('SERVING'), await authority.issue('app.example'));
      const secureContext = tls.createSecureContext({ ca: authority.cert });
      const secure: SocketTls = { secureContext, sni: undefined, verify: true };
      expect(await ask(server.port, grpc, secure)).toEqual({ result: 'good', found: 'SERVING' });
    });
  });

  it('of a cluster leaves an endpoint out while it is not serving, and takes it back', async () => {
    const [a, b] = [await grpcServer(says('SERVING')), await grpcServer(says('SERVING'))];
    const app = await startCluster({
      endpoints: [a.address, b.address],
      health_check: { grpc: {}, interval: '30ms', timeout: '2s' },
    });
    const health = () => app.cluster.show().endpoints.map((endpoint) => endpoint.health);
    expect(health()).toEqual(['healthy', 'healthy']);
    b.state.answer = says('NOT_SERVING');
    await eventually(() => health()[1] === 'unhealthy', 'it is left out');
    expect(health()[0]).toBe('healthy');
    b.state.answer = says('SERVING');
    await eventually(() => health()[1] === 'healthy', 'it is back');
  });
});
