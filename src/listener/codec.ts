import type { Socket } from 'node:net';
import type { Downstream } from '../http/index.ts';
import type { AdmissionPolicy } from './admit.ts';
import type { ListenerConfig } from './config.ts';
import type { ConnectionCut } from './cut-connections.ts';
import type { Closable } from './idle-connections.ts';
import type { ServeContext } from './serve.ts';

/** One protocol on accepted sockets. */
export interface Codec {
  /** Takes over a socket, TLS finished; bytes that were peeked at have been put back. */
  accept(socket: Socket, downstream: Downstream): void;
  /** From now on every answer says that the connection ends with it. */
  drain(): void;
  /** What may be closed to make room for others. */
  connections?(): Iterable<Closable>;
  /** Ends connections on which nothing is asked. */
  closeIdle(): void;
  /** Ends everything; nothing is accepted any more. */
  destroy(): void;
}

/** What both protocols share of their listener. */
export interface CodecContext {
  readonly config: ListenerConfig;
  readonly policy: AdmissionPolicy;
  readonly serve: ServeContext;
  /** Counts a connection that is closed without an answer. */
  cut?(reason: ConnectionCut): void;
}
