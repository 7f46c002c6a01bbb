import type { Address } from '../../options/index.ts';
import { healthRequest, readHealthResponse } from './grpc-health-message.ts';
import { failedBy, healthy, unhealthy, type Probe, type ProbeResult } from './probe.ts';

/** Most bytes of an answer: an honest one has seven. */
const mostBytes = 1024;

/** Calls grpc.health.v1.Health/Check over HTTP/2 with prior knowledge. */
export function grpcProbe(at: Address, service: string): Probe {
  const body = healthRequest(service);
  return async (signal) => {
    // Loaded when the first probe runs: most apps have no gRPC.
    const { connect } = await import('node:http2');
    const { connect: connectSocket } = await import('node:net');
    return new Promise((resolve) => {
      const socket = connectSocket(at.kind === 'unix' ? { path: at.path } : { host: at.host, port: at.port });
      socket.once('error', (error) => resolve(failedBy(error)));
      const authority =
        at.kind === 'unix' ? 'localhost' : `${at.host.includes(':') ? `[${at.host}]` : at.host}:${at.port}`;
      const session = connect(`http://${authority}`, { createConnection: () => socket });
      const end = () => {
        session.destroy();
        socket.destroy();
      };
      const done = (result: ProbeResult) => {
        resolve(result);
        signal.removeEventListener('abort', end);
        end();
      };
      if (signal.aborted) return done(unhealthy('timeout', 'given up'));
      signal.addEventListener('abort', end, { once: true });
      session.on('error', (error) => done(failedBy(error)));
      session.once('close', () => done(unhealthy('reset', 'closed')));
      const stream = session.request({
        ':method': 'POST',
        ':path': '/grpc.health.v1.Health/Check',
        'content-type': 'application/grpc',
        te: 'trailers',
        'user-agent': 'portico-health-check',
      });
      const chunks: Buffer[] = [];
      let size = 0;
      let answered = false;
      let grpcStatus: string | undefined;
      stream.once('response', (headers) => {
        answered = true;
        if (headers[':status'] !== 200) done(unhealthy('status', `answered ${headers[':status']}`));
        // A refusal may come in one header section, without a message.
        else grpcStatus = headers['grpc-status']?.toString();
      });
      stream.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > mostBytes) done(unhealthy('malformed', 'more than a health message'));
        else chunks.push(chunk);
      });
      stream.once('trailers', (trailers) => (grpcStatus = trailers['grpc-status']?.toString()));
      stream.on('error', (error) => done(failedBy(error)));
      stream.once('close', () =>
        // A connection that breaks ends its streams as if they were whole.
        done(
          answered && !stream.aborted
            ? judge(grpcStatus, Buffer.concat(chunks))
            : unhealthy('reset', 'no whole answer'),
        ),
      );
      stream.end(body);
    });
  };
}

/** Numbers of google.rpc.Code: 5 is NOT_FOUND, which is what a server says of a service that it does not know. */
export function judge(grpcStatus: string | undefined, message: Buffer): ProbeResult {
  if (grpcStatus === undefined) return unhealthy('malformed', 'no grpc-status');
  if (grpcStatus !== '0') return unhealthy('status', `grpc-status ${grpcStatus.slice(0, 16)}`);
  const serving = readHealthResponse(message);
  if (serving === undefined) return unhealthy('malformed', 'not a health message');
  return serving === 'SERVING' ? healthy : unhealthy('not_serving', serving);
}
