import type http2 from 'node:http2';
import type { Socket } from 'node:net';
import { healthRequest, readHealth } from './grpc-health.ts';
import type { ProbeKind, ProbeResult } from './probe.ts';

/** An answer is a handful of bytes. */
const largest = 4096;
/** Some names of codes (grpc/grpc doc/statuscodes.md); others are told by number. */
const codes: Readonly<Record<string, string>> = { 5: 'NOT_FOUND', 12: 'UNIMPLEMENTED', 14: 'UNAVAILABLE' };

/** One unary call (grpc/grpc doc/PROTOCOL-HTTP2.md). @returns closes the connection */
export function askGrpc(
  socket: Socket,
  { service, authority }: Extract<ProbeKind, { kind: 'grpc' }>,
  done: (result: ProbeResult, found: string) => void,
): () => void {
  const session = process.getBuiltinModule('node:http2').connect(`http://${authority}`, {
    createConnection: () => socket,
    settings: { enablePush: false },
  });
  const lost = (error?: Error) => done('silent', error?.message ?? 'the connection was closed');
  session.on('error', lost);
  session.on('close', () => lost());
  const stream = session.request({
    ':method': 'POST',
    ':scheme': 'encrypted' in socket ? 'https' : 'http',
    ':authority': authority,
    ':path': '/grpc.health.v1.Health/Check',
    'content-type': 'application/grpc',
    te: 'trailers',
    'user-agent': 'portico-health-check',
  });
  const received: Buffer[] = [];
  let size = 0;
  let code: string | undefined;
  const listen = (headers: http2.IncomingHttpHeaders): void => {
    const status = headers['grpc-status'];
    if (typeof status === 'string') code = status;
  };
  stream.on('response', (headers) => {
    if (headers[':status'] !== 200) return done('bad', `status ${headers[':status']}`);
    listen(headers);
  });
  stream.on('trailers', listen);
  stream.on('data', (chunk: Buffer) => {
    received.push(chunk);
    size += chunk.length;
    if (size > largest) done('bad', 'an answer that is too large');
  });
  stream.on('error', lost);
  stream.on('end', () => {
    if (code === undefined) return lost(new Error('an answer without grpc-status'));
    if (code !== '0') return done('bad', codes[code] ?? `grpc-status ${code}`);
    const health = readHealth(Buffer.concat(received));
    done(health === 'SERVING' ? 'good' : 'bad', health);
  });
  stream.end(healthRequest(service));
  return () => {
    session.destroy();
    socket.destroy();
  };
}
