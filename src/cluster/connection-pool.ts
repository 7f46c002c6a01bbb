import type { Socket } from 'node:net';
import type { UpstreamError } from '../http/index.ts';
import { overflow, type CircuitBreakers, type Permit } from './circuit-breakers.ts';
import type { Endpoint } from './endpoint.ts';
import type { IdleLimit } from './idle-limit.ts';
import { UnusedConnections } from './unused-connections.ts';
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
  onConnect(endpoint: Endpoint, error: UpstreamError | undefined): void;
  onWait(): void;
  /** For how long an unused connection is good. */
  readonly idleLimit: IdleLimit;
  /** Milliseconds of a clock that never jumps. */
  readonly now: () => number;
}

/** Milliseconds without use after which a connection must show that it lives before it gets a request. */
const longIdle = 50;

/** A connection lent for one request. Give it back by exactly one of the two. */
export interface Lease {
  readonly connection: UpstreamConnection;
  /** It has carried other requests before. */
  readonly reused: boolean;
  /** It had been unused for long, so that the app may have closed it by itself just now. */
  readonly wasLongIdle: boolean;
  /** The exchange is over and whole: the connection may carry another one. */
  release(): void;
  /** The connection must not be used again. */
  discard(): void;
  /** It was found dead when it was used again. Those of its age likely are too: the app has restarted, or tidied up. */
  foundDead(): void;
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

/** An open connection, which is its own lease while it is lent. */
class Pooled implements Lease {
  readonly endpoint: Endpoint;
  readonly connection: UpstreamConnection;
  readonly #home: PoolHome;
  /** Clock reading since which it is unused; negative while it is used. */
  idleSince = -1;
  /** Milliseconds for which it had been unused when it was lent. */
  #idle = 0;
  reused = false;

  constructor(endpoint: Endpoint, connection: UpstreamConnection, home: PoolHome) {
    this.endpoint = endpoint;
    this.connection = connection;
    this.#home = home;
  }

  get wasLongIdle(): boolean {
    return this.#idle >= longIdle;
  }

  /** @param idle milliseconds for which it has been unused */
  lend(idle: number): Lease {
    this.idleSince = -1;
    this.#idle = idle;
    this.reused = this.connection.requests > 0;
    return this;
  }

  release(): void {
    this.#home.taken(this);
  }

  discard(): void {
    this.connection.destroy();
  }

  foundDead(): void {
    this.connection.destroy();
    this.#home.foundDead(this.endpoint, this.#idle);
  }
}

/** What a lent connection goes back to. */
interface PoolHome {
  taken(pooled: Pooled): void;
  foundDead(endpoint: Endpoint, idle: number): void;
}

/**
 * The open connections of a cluster. A request gets the idle connection of its endpoint that was used last, so that the
 * others can grow old and go; else a new one. At the ceiling a longest idle connection of another endpoint makes room,
 * and when there is none the request waits in line.
 */
export class ConnectionPool {
  readonly #options: ConnectionPoolOptions;
  readonly #idle = new UnusedConnections<Endpoint, Pooled>();
  readonly #queue: Wish[] = [];
  /** The place of each open connection; given back when its socket is closed, or earlier when it had to make room. */
  readonly #places = new WeakMap<UpstreamConnection, Permit>();
  #wakeUp: NodeJS.Immediate | undefined;
  #closed = false;
  readonly #home: PoolHome = {
    taken: (pooled) => {
      pooled.idleSince = this.#options.now();
      this.#keep(pooled);
    },
    foundDead: (endpoint, idle) => {
      this.purge(endpoint);
      this.#options.idleLimit.closedByApp(idle, this.#options.now());
    },
  };

  constructor(options: ConnectionPoolOptions) {
    this.#options = options;
    const { max_connections: connections } = options.breakers;
    connections.onRoom = () => this.#wake();
    connections.onNeed = () => void this.#makeRoom();
  }

  get idle(): number {
    return this.#idle.size;
  }

  /** A connection that can be had now, and that is too young to be doubted; else ask with {@link acquire}. */
  takeReady(endpoint: Endpoint): Lease | undefined {
    const last = this.#queue.length > 0 ? undefined : this.#idle.last(endpoint);
    if (last === undefined || !last.connection.usable) return undefined;
    const now = this.#options.now();
    const idle = now - last.idleSince;
    if (idle >= longIdle || idle > this.#options.idleLimit.at(now)) return undefined;
    this.#forget(last);
    return last.lend(idle);
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
    for (const pooled of this.#idle.allOf(endpoint)) pooled.connection.destroy();
  }

  /** Idle connections are closed now, busy ones when they are done. Requests that come later get a connection each. */
  close(): void {
    this.#closed = true;
    for (const pooled of this.#idle.all()) pooled.connection.destroy();
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
      const now = this.#options.now();
      const pooled = this.#takeIdle(wish.endpoint, now);
      if (pooled !== undefined) {
        const idle = now - pooled.idleSince;
        if (idle < longIdle) this.#hand(pooled, idle, wish);
        else this.#handIfAlive(pooled, idle, wish);
        return true;
      }
    }
    const place = this.#place();
    if (place === undefined) return false;
    this.#open(wish, place);
    return true;
  }

  #hand(pooled: Pooled, idle: number, wish: Wish): void {
    wish.over = true;
    wish.done(undefined, pooled.lend(idle), undefined);
  }

  /**
   * The app may have closed it a moment ago. Two turns of the event loop, of which one surely looks at the sockets, let
   * that be known before a request is at stake.
   */
  #handIfAlive(pooled: Pooled, idle: number, wish: Wish): void {
    let turn = setImmediate(() => {
      turn = setImmediate(() => {
        wish.giveUp = undefined;
        if (pooled.connection.usable) this.#hand(pooled, idle, wish);
        else if (!this.#grant(wish)) this.#enqueue(wish);
      });
    });
    wish.giveUp = () => {
      clearImmediate(turn);
      this.#keep(pooled);
    };
  }

  #place(): Permit | undefined {
    const { max_connections: connections } = this.#options.breakers;
    const place = connections.take();
    if (place !== undefined) return place;
    return this.#makeRoom() ? connections.take() : undefined;
  }

  /** Closes the connection that has been idle for longest, if there is one. */
  #makeRoom(): boolean {
    const oldest = this.#idle.oldest();
    if (oldest === undefined) return false;
    oldest.connection.destroy();
    this.#forget(oldest);
    this.#places.get(oldest.connection)?.release();
    return true;
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
      this.#options.onConnect(endpoint, error);
      if (socket === undefined) {
        leave();
        return wish.done(error, undefined, undefined);
      }
      socket.once('close', leave);
      if (wish.kind === 'socket') return wish.done(undefined, undefined, socket);
      const pooled = new Pooled(endpoint, this.#options.connection(socket), this.#home);
      this.#places.set(pooled.connection, place);
      this.#watch(pooled, socket);
      wish.done(undefined, pooled.lend(0), undefined);
    });
    wish.giveUp = () => {
      cancel();
      leave();
    };
  }

  /** Sees how an unused connection ends: by the app, or by us. */
  #watch(pooled: Pooled, socket: Socket): void {
    const { idleLimit, now } = this.#options;
    let byApp = false;
    const closing = (): void => {
      if (pooled.idleSince < 0 || byApp) return;
      byApp = true;
      idleLimit.closedByApp(now() - pooled.idleSince, now());
    };
    socket.once('end', closing);
    socket.once('error', closing);
    socket.once('close', () => {
      if (pooled.idleSince >= 0 && !byApp) idleLimit.outlived(now() - pooled.idleSince, now());
      this.#forget(pooled);
    });
  }

  #keep(pooled: Pooled): void {
    const { connection, endpoint } = pooled;
    if (!connection.usable || this.#closed || endpoint.gone) return connection.destroy();
    this.#idle.add(pooled);
    this.#wake();
  }

  /** The one used last. Those that are too old stay, until the app closes them: how long it keeps them is worth knowing. */
  #takeIdle(endpoint: Endpoint, now: number): Pooled | undefined {
    const oldest = now - this.#options.idleLimit.at(now);
    for (let last = this.#idle.last(endpoint); last !== undefined; last = this.#idle.last(endpoint)) {
      if (last.idleSince < oldest) return undefined;
      this.#forget(last);
      if (last.connection.usable) return last;
      // It is being closed by the app or by undici; the socket will tell.
    }
    return undefined;
  }

  #forget(pooled: Pooled): void {
    const { endpoint } = pooled;
    if (this.#idle.remove(pooled) && endpoint.gone) this.#idle.tidy(endpoint);
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
