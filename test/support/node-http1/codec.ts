import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Downstream, LocalReply } from '../../../src/http/index.ts';
import { refuse } from '../../../src/listener/admit.ts';
import type { Codec, CodecContext } from '../../../src/listener/codec.ts';
import { Http1Connection } from './connection.ts';

/** Milliseconds in which a request that is on its way still finds its connection open. */
const silentGrace = 500;

/** HTTP/1.0 and HTTP/1.1 on `node:http`, which parses and frames; what it leaves open is closed here. */
export class Http1Codec implements Codec {
  readonly #context: CodecContext;
  readonly #server: Server;
  readonly #timer: NodeJS.Timeout;
  readonly #connections = new Map<Socket, Http1Connection>();
  #draining = false;
  #closingSince: number | undefined;

  constructor(context: CodecContext) {
    this.#context = context;
    const { config } = context;
    const requestTimeout = Math.ceil(config.request_timeout);
    const headersTimeout = Math.ceil(config.request_headers_timeout);
    const server = createServer({
      headersTimeout: requestTimeout > 0 ? Math.min(headersTimeout, requestTimeout) : headersTimeout,
      requestTimeout,
      connectionsCheckingInterval: checkingInterval(headersTimeout, requestTimeout),
      keepAliveTimeout: Math.ceil(config.idle_timeout),
      keepAliveTimeoutBuffer: 0,
      maxHeaderSize: config.max_header_bytes,
      requireHostHeader: false,
      optimizeEmptyRequests: true,
      shouldUpgradeCallback: (message: IncomingMessage) => this.#mayUpgrade(message),
    });
    // Any other value hides lines that the parser still frames by (CVE-2026-58044); we count them ourselves.
    server.maxHeadersCount = 0;
    // A client that closes its side may still read the answer. Not in the documentation, but the only way to be told.
    (server as Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;

    const request = (message: IncomingMessage, response: ServerResponse) =>
      this.#of(message)?.request(message, response);
    server.on('request', request);
    server.on('checkContinue', request);
    server.on('checkExpectation', request);
    server.on('upgrade', (message: IncomingMessage, socket: Duplex, head: Buffer) =>
      this.#connections.get(socket as Socket)?.upgrade(message, head),
    );
    server.on('connect', (_message: IncomingMessage, socket: Duplex) => {
      this.#connections.get(socket as Socket)?.refuseConnect(refuse(405, 'method_not_allowed'));
    });
    server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => this.#fault(error, socket));
    // The server never listens by itself; the event starts its check for slow clients.
    server.emit('listening');
    this.#server = server;
    this.#timer = setInterval(() => {
      const now = context.serve.clock.monotonic();
      for (const connection of this.#connections.values()) connection.look(now);
    }, 100).unref();
  }

  accept(socket: Socket, downstream: Downstream): void {
    const connection = new Http1Connection(socket, downstream, this.#context);
    connection.draining = this.#draining;
    this.#connections.set(socket, connection);
    socket.on('close', () => this.#connections.delete(socket));
    this.#server.emit('connection', socket);
  }

  drain(): void {
    this.#draining = true;
    for (const connection of this.#connections.values()) connection.draining = true;
  }

  closeIdle(): void {
    const now = this.#context.serve.clock.monotonic();
    this.#closingSince ??= now;
    // It spares connections on which half a head has arrived, but not those that have been accepted and not spoken yet.
    if (now - this.#closingSince >= silentGrace) this.#server.closeIdleConnections();
  }

  destroy(): void {
    clearInterval(this.#timer);
    for (const socket of this.#connections.keys()) socket.destroy();
    this.#server.close();
  }

  #of(message: IncomingMessage): Http1Connection | undefined {
    return this.#connections.get(message.socket);
  }

  #mayUpgrade(message: IncomingMessage): boolean {
    try {
      return this.#of(message)?.mayUpgrade(message) ?? false;
    } catch (error) {
      // A throw in here would be one in the parser.
      this.#context.serve.log.error('deciding about an upgrade failed', { error: String(error) });
      return false;
    }
  }

  #fault(error: NodeJS.ErrnoException, socket: Duplex): void {
    const connection = this.#connections.get(socket as Socket);
    const code = error.code ?? '';
    if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
      connection?.late(refuse(408, 'request_timeout'));
    } else if (code === 'HPE_CLOSED_CONNECTION') {
      // More after `Connection: close`: the answer is still due, the rest is nobody's (RFC 9112 §9.6).
      if (connection?.idle !== false) socket.destroy();
    } else if (!code.startsWith('HPE_') || code === 'HPE_INVALID_EOF_STATE') {
      socket.destroy();
    } else {
      connection?.fault(faultOf(code));
    }
  }
}

/** The parser's codes are many and change; the names here are what operators see. */
function faultOf(code: string): LocalReply {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return refuse(431, 'headers_too_large', 'LL');
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return refuse(413, 'chunk_extensions_too_large', 'LL');
    case 'HPE_INVALID_METHOD':
      return refuse(400, 'method_invalid');
    case 'HPE_INVALID_URL':
      return refuse(400, 'request_target_invalid');
    case 'HPE_INVALID_VERSION':
      return refuse(400, 'http_version_not_supported');
    case 'HPE_INVALID_CHUNK_SIZE':
      return refuse(400, 'chunk_invalid');
    case 'HPE_INVALID_CONTENT_LENGTH':
    case 'HPE_UNEXPECTED_CONTENT_LENGTH':
      return refuse(400, 'content_length_invalid');
    case 'HPE_INVALID_TRANSFER_ENCODING':
      return refuse(400, 'transfer_encoding_not_supported');
    case 'HPE_INVALID_HEADER_TOKEN':
      return refuse(400, 'header_invalid');
    default:
      return refuse(400, 'malformed_http1');
  }
}

/** Milliseconds between two looks for slow clients: a tenth of the shortest timeout, within reason. */
function checkingInterval(...timeouts: number[]): number {
  const shortest = Math.min(...timeouts.filter((timeout) => timeout > 0), 10_000);
  return Math.max(20, Math.min(1000, Math.floor(shortest / 10)));
}
