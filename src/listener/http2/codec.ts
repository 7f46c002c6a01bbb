import { createServer, type Http2Server, type ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import type { Downstream } from '../../http/index.ts';
import type { Codec, CodecContext } from '../codec.ts';
import { Http2Connection, streamWindow } from './connection.ts';

/** HTTP/2 on `node:http2`, over TLS or with prior knowledge on plain sockets. */
export class Http2Codec implements Codec {
  readonly #context: CodecContext;
  readonly #server: Http2Server;
  readonly #connections = new Map<Socket, Http2Connection>();
  #draining = false;

  constructor(context: CodecContext) {
    this.#context = context;
    const { config } = context;
    this.#server = createServer({
      // We answer 431 ourselves above the limit; far beyond it nghttp2 resets the stream before memory is spent.
      maxHeaderListPairs: config.max_headers_count + 20,
      maxSessionMemory: 16,
      // Apps repeat fields that should be single; that is not the proxy's to judge.
      strictSingleValueFields: false,
      settings: {
        maxConcurrentStreams: config.max_concurrent_streams,
        maxHeaderListSize: config.max_header_bytes,
        initialWindowSize: streamWindow,
        enableConnectProtocol: false,
      },
    });
    this.#server.on('sessionError', () => {});
  }

  accept(socket: Socket, downstream: Downstream): void {
    this.#server.once('session', (session: ServerHttp2Session) => {
      const connection = new Http2Connection(session, socket, downstream, this.#context);
      this.#connections.set(socket, connection);
      socket.on('close', () => this.#connections.delete(socket));
      if (this.#draining) connection.drain();
    });
    // Emits 'session' before it returns.
    this.#server.emit('connection', socket);
  }

  drain(): void {
    this.#draining = true;
    for (const connection of this.#connections.values()) connection.drain();
  }

  closeIdle(): void {
    for (const connection of this.#connections.values()) connection.closeIfHeard();
  }

  destroy(): void {
    for (const socket of this.#connections.keys()) socket.destroy();
  }
}
