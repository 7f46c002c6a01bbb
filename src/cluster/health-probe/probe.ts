/** Asks once whether something that listens is well. Knows of no cluster: whoever has an address can ask. */
import type { Socket } from 'node:net';
import { timeLimit } from '../../http/index.ts';
import { Http1Connection } from '../http1-connection.ts';
import type { UpstreamConnection } from '../upstream-connection.ts';
import { openSocket, type SocketTarget, type SocketTls } from '../upstream-socket.ts';
import { judgeGrpc } from './judge-grpc.ts';
import { askHttp } from './ask-http.ts';

/** How to ask. */
export type ProbeKind =
  /** A connection is answer enough. */
  | { readonly kind: 'tcp' }
  /** GET over HTTP/1.1. */
  | {
      readonly kind: 'http';
      readonly path: string;
      readonly authority: string;
      /** Statuses of who is well, both ends included. */
      readonly expected: readonly { readonly min: number; readonly max: number }[];
    }
  /** grpc.health.v1.Health/Check over HTTP/2. */
  | {
      readonly kind: 'grpc';
      /** Name of the service; empty asks for the server as a whole. */
      readonly service: string;
      readonly authority: string;
    };

/** `good`: as expected; `bad`: answered, but not as expected; `silent`: no connection, no answer, or not in time. */
export type ProbeResult = 'good' | 'bad' | 'silent';

export interface ProbeOutcome {
  readonly result: ProbeResult;
  /** What was found, in a few words: `status 503`, `NOT_SERVING`, `upstream_connect_failure{connection_refused}`. */
  readonly found: string;
}

export interface ProbeTarget {
  /** `host:port` or `unix:/path`, for errors. */
  readonly address: string;
  readonly target: SocketTarget;
}

export interface ProbeOptions {
  /** Milliseconds for all of it. */
  readonly timeout: number;
  readonly tls?: SocketTls | undefined;
  /** Speaks HTTP/1.1 on an open socket. */
  readonly connection?: ((socket: Socket) => UpstreamConnection) | undefined;
}

const maxResponseHeaders = 60 * 1024;

/**
 * Asks, on a connection of its own that is closed afterwards. `done` is called once, later, unless the function returned
 * is called before: that gives up.
 */
export function probe(
  what: ProbeKind,
  at: ProbeTarget,
  options: ProbeOptions,
  done: (outcome: ProbeOutcome) => void,
): () => void {
  let over = false;
  let close = (): void => {};
  const giveUp = (): boolean => {
    if (over) return false;
    over = true;
    liftLimit();
    close();
    return true;
  };
  const finish = (result: ProbeResult, found: string): void => {
    if (giveUp()) done({ result, found });
  };
  const liftLimit = timeLimit(options.timeout, () => finish('silent', `nothing in ${options.timeout} ms`));
  close = openSocket(
    at.target,
    {
      endpoint: at.address,
      connectTimeout: options.timeout,
      tls: options.tls,
      alpn: what.kind === 'grpc' ? ['h2'] : ['http/1.1'],
    },
    (error, socket) => {
      if (socket === undefined) return finish('silent', error?.details ?? 'no connection');
      close = () => void socket.destroy();
      if (over) return close();
      switch (what.kind) {
        case 'tcp':
          return finish('good', 'a connection');
        case 'http':
          close = askHttp(options.connection?.(socket) ?? plain(socket), what, finish);
          return;
        case 'grpc':
          // Loaded when the first probe runs: most upstreams have no gRPC.
          void import('../../health-probe/ask-grpc.ts').then(({ askGrpc }) => {
            if (socket.destroyed) finish('silent', 'the connection was closed');
            else if (!over) close = askGrpc(socket, what, (answer) => finish(...judgeGrpc(answer)));
          });
      }
    },
  );
  return () => void giveUp();
}

function plain(socket: Socket): UpstreamConnection {
  return new Http1Connection(socket, { idleTimeout: 0, maxResponseHeaders });
}
