import { createHash } from 'node:crypto';
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createProxyServer } from 'http-proxy-3';
import {
  Headers,
  noBody,
  removeHopByHop,
  timeLimit,
  UpstreamError,
  type LiftLimit,
  type Upgrade,
} from '../http/index.ts';
import { http } from '../node-http.ts';
import type { Attempt, Outcome } from './attempt.ts';
import type { ConnectionPool } from './connection-pool.ts';
import type { Endpoint } from './endpoint.ts';
import { cancelled, type TryObserver } from './try.ts';
import { TunnelClient } from './tunnel-client.ts';
import { beforeResponse, requestFailure } from './upstream-socket.ts';

export interface TunnelOptions {
  readonly pool: ConnectionPool;
  /** Bytes of the answer's header section. */
  readonly maxResponseHeaders: number;
  /** Milliseconds of a clock that never jumps. */
  now(): number;
}

/** How long a side may take to swallow its last bytes when the other one has gone. */
const lingering = 5_000;

/**
 * Asks the endpoint to leave HTTP and joins the two sockets when it agrees. The handshake is http-proxy-3's; the socket to
 * the endpoint is opened by us, so that failures are told like those of every other try.
 * `done` is told an UpstreamError when nothing was written to the client's socket.
 */
export function openTunnel(
  attempt: Attempt,
  upgrade: Upgrade,
  endpoint: Endpoint,
  options: TunnelOptions,
  observer: TryObserver,
  done: Outcome,
): void {
  new Opening(attempt, upgrade, endpoint, options, observer, done).begin();
}

class Opening {
  readonly #attempt: Attempt;
  readonly #upgrade: Upgrade;
  readonly #endpoint: Endpoint;
  readonly #options: TunnelOptions;
  readonly #observer: TryObserver;
  readonly #done: Outcome;
  #phase: 'connecting' | 'asking' | 'joined' | 'over' = 'connecting';
  #giveUp: () => void = () => {};
  #withdraw: () => void = () => {};
  #perTry: LiftLimit | undefined;
  #idle: LiftLimit | undefined;
  #upstream: Socket | undefined;
  #client: TunnelClient | undefined;

  constructor(
    attempt: Attempt,
    upgrade: Upgrade,
    endpoint: Endpoint,
    options: TunnelOptions,
    observer: TryObserver,
    done: Outcome,
  ) {
    this.#attempt = attempt;
    this.#upgrade = upgrade;
    this.#endpoint = endpoint;
    this.#options = options;
    this.#observer = observer;
    this.#done = done;
  }

  begin(): void {
    const { perTryTimeout, cancellation } = this.#attempt;
    const { address } = this.#endpoint;
    if (perTryTimeout > 0) {
      this.#perTry = timeLimit(perTryTimeout, () =>
        this.#stop(
          (untouched) => new UpstreamError(504, 'UT', 'upstream_per_try_timeout', { untouched, endpoint: address }),
        ),
      );
    }
    this.#withdraw = cancellation.onCancel((reason) =>
      this.#stop((untouched) => cancelled(reason, address, untouched)),
    );
    if (this.#phase !== 'connecting') return;
    this.#giveUp = this.#options.pool.acquireSocket(this.#endpoint, (error, socket) => {
      if (socket === undefined) return this.#fail(error!);
      const refusal = this.#observer.connected();
      if (refusal === undefined) return this.#ask(socket);
      socket.destroy();
      this.#fail(refusal);
    });
  }

  #ask(upstream: Socket): void {
    this.#phase = 'asking';
    this.#upstream = upstream;
    const client = (this.#client = new TunnelClient(this.#upgrade.socket, this.#upgrade.head));
    client.once('close', () => this.#clientClosed());
    upstream.once('close', () => this.#upstreamClosed());
    const proxy = createProxyServer();
    proxy.on('error', (error) => this.#broken(error));
    proxy.on('proxyReqWs', (request) => {
      this.#writeHead(request);
      // Before http-proxy-3's own listeners, which write to the client.
      request.on('upgrade', (answer) => this.#agreed(answer));
      request.on('response', (answer) => this.#refused(answer));
    });
    proxy.ws(
      this.#incomingMessage(client),
      client,
      Buffer.alloc(0),
      {
        target: 'http://upstream.invalid',
        agent: new OneSocketAgent(upstream),
        // Not about TLS: this is where http-proxy-3 starts from when it makes the options of the request.
        ssl: { maxHeaderSize: this.#options.maxResponseHeaders } as object,
      },
      (error) => this.#broken(error),
    );
  }

  /** What http-proxy-3 wants to see: a handshake for a WebSocket. Everything that is sent is set by {@link #writeHead}. */
  #incomingMessage(socket: Duplex): IncomingMessage {
    const message = new http.IncomingMessage(socket as Socket);
    message.method = 'GET';
    message.url = '/';
    message.httpVersion = '1.1';
    message.httpVersionMajor = 1;
    message.httpVersionMinor = 1;
    message.headers = { host: this.#attempt.authority, connection: 'Upgrade', upgrade: 'websocket' };
    return message;
  }

  #writeHead(request: ClientRequest): void {
    const { method, path, authority, headers } = this.#attempt;
    request.method = method;
    request.path = path;
    for (const name of request.getHeaderNames()) request.removeHeader(name);
    request.setHeader('Host', authority);
    request.setHeader('Connection', 'Upgrade');
    request.setHeader('Upgrade', this.#upgrade.protocol);
    for (const [name] of headers) {
      const lower = name.toLowerCase();
      if (!notForwarded.has(lower) && !request.hasHeader(name)) request.setHeader(name, headers.getAll(name));
    }
  }

  #agreed(answer: IncomingMessage): void {
    if (this.#phase !== 'asking') return;
    const key = this.#attempt.headers.get('sec-websocket-key');
    if (answer.statusCode !== 101 || (this.#upgrade.protocol === 'websocket' && !accepts(key, answer))) {
      return this.#stop(() => this.#unusable('websocket_accept'));
    }
    this.#join(101, answer);
  }

  #refused(answer: IncomingMessage): void {
    if (this.#phase !== 'asking') return;
    const status = answer.statusCode ?? 0;
    if (status < 200 || status > 599) return this.#stop(() => this.#unusable('invalid_status'));
    // http-proxy-3 would copy `Connection: Upgrade` from the request; but this answer is the last on its connection.
    delete answer.headers['keep-alive'];
    answer.headers.connection = 'close';
    answer.on('error', () => this.#client?.destroy());
    this.#join(status, answer);
  }

  #join(status: number, answer: IncomingMessage): void {
    const client = this.#client!;
    const upstream = this.#upstream!;
    this.#phase = 'joined';
    this.#perTry?.();
    const websocket = status === 101 && this.#upgrade.protocol === 'websocket';
    client.open({ agreed: status === 101, websocket });
    this.#watchIdle();
    const headers = Headers.parsed(answer.rawHeaders.slice());
    removeHopByHop(headers);
    headers.delete('content-length');
    const closed = (stream: Duplex) =>
      new Promise<void>((resolve) => {
        if (stream.closed) resolve();
        else stream.once('close', () => resolve());
      });
    const ended = Promise.all([closed(client), closed(upstream)]).then(() => {
      this.#leave();
      return { bytesReceived: client.bytesReceived, bytesSent: client.bytesSent };
    });
    this.#observer.answered(status);
    const leave = () => {
      if (websocket) return client.sayGoodbye();
      if (status !== 101) return;
      client.destroySoon();
      upstream.destroySoon();
    };
    this.#done({ status, headers, body: noBody, endpoint: this.#endpoint.address, tunnel: { ended, leave } });
  }

  #clientClosed(): void {
    const upstream = this.#upstream!;
    if (this.#phase === 'asking')
      return this.#stop(() => cancelled(new Error('the client left'), this.#endpoint.address, false));
    if (upstream.closed) return;
    upstream.destroySoon();
    const timer = setTimeout(() => upstream.destroy(), lingering);
    upstream.once('close', () => clearTimeout(timer));
  }

  #upstreamClosed(): void {
    const client = this.#client!;
    if (this.#phase === 'asking') return this.#broken(new Error('the connection was closed'));
    if (client.closed) return;
    client.destroySoon();
    const timer = setTimeout(() => client.destroy(), lingering);
    client.once('close', () => clearTimeout(timer));
  }

  #broken(cause: Error): void {
    if (this.#phase === 'asking') {
      const failure = requestFailure(cause);
      this.#stop(() => beforeResponse(failure, { endpoint: this.#endpoint.address, reused: false, untouched: false }));
    } else if (this.#phase === 'joined') {
      this.#upstream!.destroy();
      this.#client!.destroySoon();
    }
  }

  #unusable(reason: string): UpstreamError {
    const details = `upstream_protocol_error{${reason}}`;
    return new UpstreamError(502, 'UPE', details, { untouched: false, endpoint: this.#endpoint.address });
  }

  #stop(error: (untouched: boolean) => UpstreamError): void {
    switch (this.#phase) {
      case 'connecting':
        this.#giveUp();
        return this.#fail(error(true));
      case 'asking':
        return this.#fail(error(false));
      case 'joined':
        this.#upstream!.destroy();
        this.#client!.destroy();
        return;
      case 'over':
        return;
    }
  }

  #fail(error: UpstreamError): void {
    this.#phase = 'over';
    this.#client?.letGo();
    this.#upstream?.destroy();
    const takenOver = this.#observer.failed(error);
    this.#leave();
    if (!takenOver) this.#done(error);
  }

  #leave(): void {
    this.#phase = 'over';
    this.#perTry?.();
    this.#idle?.();
    this.#withdraw();
    this.#observer.over();
  }

  #watchIdle(): void {
    const { idleTimeout } = this.#attempt;
    if (idleTimeout === 0) return;
    const client = this.#client!;
    const count = () => client.bytesReceived + client.bytesSent;
    let seen = count();
    let since = this.#options.now();
    // A quarter of the time is near enough for a connection that has been silent for all of it.
    const look = () => {
      const now = this.#options.now();
      if (count() !== seen) {
        seen = count();
        since = now;
      }
      if (now - since >= idleTimeout) {
        this.#upstream!.destroy();
        client.destroySoon();
        return;
      }
      this.#idle = timeLimit(idleTimeout / 4, look);
    };
    this.#idle = timeLimit(idleTimeout / 4, look);
  }
}

/** Gives http.request the socket that is open already. */
class OneSocketAgent extends http.Agent {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    super({ keepAlive: false });
    this.#socket = socket;
  }

  override createConnection(): Duplex {
    return this.#socket;
  }
}

const notForwarded = new Set(['host', 'connection', 'upgrade', 'content-length', 'transfer-encoding', 'expect']);

/** RFC 6455 §4.1: an answer without the right Sec-WebSocket-Accept comes from somebody who does not speak WebSocket. */
function accepts(key: string | undefined, answer: IncomingMessage): boolean {
  if (key === undefined) return false;
  const expected = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  return answer.headers['sec-websocket-accept'] === expected;
}
