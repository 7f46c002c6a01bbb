import { createServer, type Http2Server, type ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import type { Downstream } from '../../../src/http/index.ts';
import type { Codec, CodecContext } from '../../../src/listener/codec.ts';
import type { Closable } from '../../../src/listener/idle-connections.ts';
import { Http2Connection, streamWindow } from './connection.ts';

/** How often connections are looked at for deadlines and floods, in milliseconds. */
const tick = 100;
/** Milliseconds between two looks that mean that the process did not run. */
const paused = 1000;
/** Messages that nghttp2 found malformed, on one connection in its life; each costs us a RST_STREAM (CVE-2025-8671). */
const mostInvalidFrames = 1000;

/** HTTP/2 on `node:http2`, over TLS or with prior knowledge on plain sockets. */
export class Http2Codec implements Codec {
  readonly #context: CodecContext;
  readonly #server: Http2Server;
  readonly #connections = new Map<Socket, Http2Connection>();
  readonly #timer: NodeJS.Timeout;
  #looked: number;
  /** At the last look nobody was called late. */
  #excused = false;
  #draining = false;

  constructor(context: CodecContext) {
    this.#context = context;
    const { config, serve } = context;
    this.#server = createServer({
      // We answer 431 ourselves above the limit; far beyond it nghttp2 resets the stream before memory is spent.
      maxHeaderListPairs: config.max_headers_count + 20,
      maxSessionMemory: 16,
      maxSessionInvalidFrames: mostInvalidFrames,
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
    this.#looked = serve.clock.monotonic();
    this.#timer = setInterval(() => this.#look(), tick).unref();
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

  connections(): Iterable<Closable> {
    return this.#connections.values();
  }

  closeIdle(): void {
    for (const connection of this.#connections.values()) connection.closeIfHeard();
  }

  destroy(): void {
    clearInterval(this.#timer);
    for (const socket of this.#connections.keys()) socket.destroy();
  }

  #look(): void {
    const before = this.#looked;
    const now = (this.#looked = this.#context.serve.clock.monotonic());
    // After a pause of the process what has arrived meanwhile is read first: it was not the clients who were late.
    this.#excused = now - before > paused && !this.#excused;
    if (this.#excused) return;
    for (const connection of this.#connections.values()) connection.look(now);
  }
}
