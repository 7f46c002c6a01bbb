import type { Socket } from 'node:net';
import type { UpstreamError } from '../http/index.ts';
import { overflow, type CircuitBreakers, type Permit } from './circuit-breakers.ts';
import type { Endpoint } from './endpoint.ts';
import type { UpstreamConnection } from './upstream-connection.ts';
import { openSocket, type SocketTls } from './upstream-socket.ts';

export interface ConnectionPoolOptions {
  /** Milliseconds. */
  readonly connectTimeout: number;
  readonly tls: SocketTls | undefined;
  readonly breakers: CircuitBreakers;
  /** Speaks HTTP on an open socket. */
  connection(socket: Socket): UpstreamConnection;
  /** Told of every connection opened or failed, and of every request that had to wait for one. */
  onConnect(error: UpstreamError | undefined): void;
  onWait(): void;
}

/** A connection lent for one request. Give it back by exactly one of the two. */
export interface Lease {
  readonly connection: UpstreamConnection;
  /** It has carried other requests before. */
  readonly reused: boolean;
  /** The exchange is over and whole: the connection may carry another one. */
  release(): void;
  /** The connection must not be used again. */
  discard(): void;
}

/** Somebody's request for a connection, from asking to having. */
interface Wish {
  readonly endpoint: Endpoint;
  readonly kind: 'any' | 'new' | 'socket';
  readonly done: (error: UpstreamError | undefined, lease: Lease | undefined, socket: Socket | undefined) => void;
  /** The place in the queue, while it waits there. */
  waiting: Permit | undefined;
  /** Gives up a socket that is being opened. */
  giveUp: (() => void) | undefined;
  over: boolean;
}

interface Pooled {
  readonly endpoint: Endpoint;
  readonly connection: UpstreamConnection;
}

/**
 * The open connections of a cluster. A request gets the idle connection of its endpoint that was used last, so that the
 * others can grow old and go; else a new one. At the ceiling a longest idle connection of another endpoint makes room,
 * and when there is none the request waits in line.
 */
export class ConnectionPool {
  readonly #options: ConnectionPoolOptions;
  /** All idle connections, the one that was used longest ago first. */
  readonly #idle = new Set<Pooled>();
  readonly #idleOf = new Map<Endpoint, Pooled[]>();
  readonly #queue: Wish[] = [];
  /** The place of each open connection; given back when its socket is closed, or earlier when it had to make room. */
  readonly #places = new WeakMap<UpstreamConnection, Permit>();
  #wakeUp: NodeJS.Immediate | undefined;
  #closed = false;

  constructor(options: ConnectionPoolOptions) {
    this.#options = options;
  }

  get idle(): number {
    return this.#idle.size;
  }

  /**
   * Asks for a connection; `done` is called once, possibly at once, unless the function returned is called before.
   * @param fresh an idle connection will not do
   */
  acquire(
    endpoint: Endpoint,
    fresh: boolean,
    done: (error: UpstreamError | undefined, lease: Lease | undefined) => void,
  ): () => void {
    return this.#ask({
      endpoint,
      kind: fresh ? 'new' : 'any',
      done,
      waiting: undefined,
      giveUp: undefined,
      over: false,
    });
  }

  /** Asks for a bare socket, which belongs to the caller. */
  acquireSocket(
    endpoint: Endpoint,
    done: (error: UpstreamError | undefined, socket: Socket | undefined) => void,
  ): () => void {
    return this.#ask({
      endpoint,
      kind: 'socket',
      done: (error, _lease, socket) => done(error, socket),
      waiting: undefined,
      giveUp: undefined,
      over: false,
    });
  }

  /** Closes the idle connections of an endpoint: one of them was found dead, and its age is theirs. */
  purge(endpoint: Endpoint): void {
    for (const pooled of [...(this.#idleOf.get(endpoint) ?? [])]) pooled.connection.destroy();
  }

  /** Idle connections are closed now, busy ones when they are done. Requests that come later get a connection each. */
  close(): void {
    this.#closed = true;
    for (const pooled of [...this.#idle]) pooled.connection.destroy();
  }

  #ask(wish: Wish): () => void {
    if (this.#queue.length > 0 || !this.#grant(wish)) this.#enqueue(wish);
    return () => {
      if (wish.over) return;
      wish.over = true;
      wish.giveUp?.();
      if (wish.waiting !== undefined) {
        wish.waiting.release();
        this.#queue.splice(this.#queue.indexOf(wish), 1);
      }
    };
  }

  #enqueue(wish: Wish): void {
    const { breakers } = this.#options;
    this.#options.onWait();
    wish.waiting = breakers.max_pending_requests.take();
    if (wish.waiting === undefined) {
      wish.over = true;
      // With no waiting room at all it is the connections that ran out.
      const ceiling = breakers.max_pending_requests.most === 0 ? 'max_connections' : 'max_pending_requests';
      wish.done(overflow(ceiling, wish.endpoint.address), undefined, undefined);
      return;
    }
    this.#queue.push(wish);
  }

  /** Serves the wish if a connection is there or may be opened. */
  #grant(wish: Wish): boolean {
    if (wish.kind === 'any') {
      const pooled = this.#takeIdle(wish.endpoint);
      if (pooled !== undefined) {
        wish.over = true;
        wish.done(undefined, this.#lease(pooled), undefined);
        return true;
      }
    }
    const place = this.#place();
    if (place === undefined) return false;
    this.#open(wish, place);
    return true;
  }

  #place(): Permit | undefined {
    const { max_connections: connections } = this.#options.breakers;
    const place = connections.take();
    if (place !== undefined) return place;
    for (const oldest of this.#idle) {
      oldest.connection.destroy();
      this.#forget(oldest);
      this.#places.get(oldest.connection)?.release();
      return connections.take();
    }
    return undefined;
  }

  #open(wish: Wish, place: Permit): void {
    const { endpoint } = wish;
    const { connectTimeout, tls } = this.#options;
    endpoint.connections++;
    const leave = () => {
      endpoint.connections--;
      place.release();
      this.#wake();
    };
    const cancel = openSocket(endpoint.target, { endpoint: endpoint.address, connectTimeout, tls }, (error, socket) => {
      wish.over = true;
      wish.giveUp = undefined;
      this.#options.onConnect(error);
      if (socket === undefined) {
        leave();
        return wish.done(error, undefined, undefined);
      }
      socket.once('close', leave);
      if (wish.kind === 'socket') return wish.done(undefined, undefined, socket);
      const pooled = { endpoint, connection: this.#options.connection(socket) };
      this.#places.set(pooled.connection, place);
      socket.once('close', () => this.#forget(pooled));
      wish.done(undefined, this.#lease(pooled), undefined);
    });
    wish.giveUp = () => {
      cancel();
      leave();
    };
  }

  #lease(pooled: Pooled): Lease {
    const { connection, endpoint } = pooled;
    return {
      connection,
      reused: connection.requests > 0,
      release: () => {
        if (!connection.usable || this.#closed || endpoint.gone) return connection.destroy();
        this.#idle.add(pooled);
        const own = this.#idleOf.get(endpoint);
        if (own === undefined) this.#idleOf.set(endpoint, [pooled]);
        else own.push(pooled);
        this.#wake();
      },
      discard: () => connection.destroy(),
    };
  }

  #takeIdle(endpoint: Endpoint): Pooled | undefined {
    const own = this.#idleOf.get(endpoint);
    for (let last = own?.at(-1); last !== undefined; last = own?.at(-1)) {
      this.#forget(last);
      if (last.connection.usable) return last;
      // It is being closed by the app or by undici; the socket will tell.
    }
    return undefined;
  }

  #forget(pooled: Pooled): void {
    if (!this.#idle.delete(pooled)) return;
    const own = this.#idleOf.get(pooled.endpoint)!;
    own.splice(own.lastIndexOf(pooled), 1);
    if (own.length === 0) this.#idleOf.delete(pooled.endpoint);
  }

  /** Serves those who wait, in order; a moment later, when the connection that came free has shown whether it lives. */
  #wake(): void {
    if (this.#queue.length === 0) return;
    this.#wakeUp ??= setImmediate(() => {
      this.#wakeUp = undefined;
      while (this.#queue.length > 0) {
        const first = this.#queue[0]!;
        if (!this.#grantWaiting(first)) return;
      }
    });
  }

  #grantWaiting(wish: Wish): boolean {
    const waiting = wish.waiting!;
    // Out of the line before it is served: being served may bring the next request.
    this.#queue.shift();
    wish.waiting = undefined;
    if (this.#grant(wish)) {
      waiting.release();
      return true;
    }
    wish.waiting = waiting;
    this.#queue.unshift(wish);
    return false;
  }
}
