import http2 from 'node:http2';
import type { Socket } from 'node:net';
import { healthRequest, readHealth, type ServingStatus } from './grpc-health.ts';

/** Most bytes of an answer: an honest one has seven. */
const largest = 1024;

export interface GrpcQuestion {
  /** Empty asks for the server as a whole. */
  readonly service: string;
  /** What HTTP/2 calls `:authority`. */
  readonly authority: string;
}

/** What came of it. */
export type GrpcAnswer =
  | { readonly kind: 'health'; readonly status: ServingStatus }
  /** The call failed, with a number of google.rpc.Code as text: `5` is what a server says of a service that it does not know. */
  | { readonly kind: 'refused'; readonly code: string }
  /** HTTP, but not gRPC. */
  | { readonly kind: 'status'; readonly status: number }
  | { readonly kind: 'malformed'; readonly what: string }
  /** Without `grpc-status`: cut off on its way, or no gRPC. */
  | { readonly kind: 'unfinished' }
  /** The connection broke, or is none of HTTP/2. */
  | { readonly kind: 'lost'; readonly error: Error };

/**
 * grpc.health.v1.Health/Check once, on a socket that is open or opening, of HTTP/2 with prior knowledge or of TLS that agreed on it
 * (grpc/grpc doc/PROTOCOL-HTTP2.md). `done` is called once, unless the function returned is called before; both close the socket.
 * There is no time limit but that of the caller.
 */
export function askGrpc(
  socket: Socket,
  { service, authority }: GrpcQuestion,
  done: (answer: GrpcAnswer) => void,
): () => void {
  const session = http2.connect(`http://${authority}`, {
    createConnection: () => socket,
    settings: { enablePush: false },
  });
  let over = false;
  const close = () => {
    over = true;
    session.destroy();
    socket.destroy();
  };
  const finish = (answer: GrpcAnswer) => {
    if (over) return;
    close();
    done(answer);
  };
  const lost = (error = new Error('the connection was closed')) => finish({ kind: 'lost', error });
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
  let answered = false;
  let code: string | undefined;
  const listen = (headers: http2.IncomingHttpHeaders) => {
    const status = headers['grpc-status'];
    if (typeof status === 'string') code = status;
  };
  stream.on('response', (headers) => {
    answered = true;
    if (headers[':status'] !== 200) return finish({ kind: 'status', status: headers[':status'] ?? 0 });
    // A refusal may come in one header section, without a message.
    listen(headers);
  });
  stream.on('trailers', listen);
  stream.on('data', (chunk: Buffer) => {
    received.push(chunk);
    size += chunk.length;
    if (size > largest) finish({ kind: 'malformed', what: 'an answer that is too large' });
  });
  stream.on('error', lost);
  stream.on('close', () => {
    // A connection that breaks ends its streams as if they were whole.
    if (!answered || stream.aborted) return lost();
    finish(judge(code, Buffer.concat(received)));
  });
  stream.end(healthRequest(service));
  return close;
}

function judge(code: string | undefined, message: Buffer): GrpcAnswer {
  if (code === undefined) return { kind: 'unfinished' };
  if (code !== '0') return { kind: 'refused', code: code.slice(0, 16) };
  const status = readHealth(message);
  return status === 'malformed' ? { kind: 'malformed', what: 'not a health message' } : { kind: 'health', status };
}
