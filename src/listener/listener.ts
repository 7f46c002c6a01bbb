import { createServer, type Server, type Socket } from 'node:net';
import {
  createServer as createTlsServer,
  type SecureContextOptions,
  type Server as TlsServer,
  type TLSSocket,
} from 'node:tls';
import type { FilterChain } from '../filter/chain.ts';
import type { Clock, FilterLog } from '../filter/define-filter.ts';
import type { Tunnel } from '../http/index.ts';
import { showAddress, type Address, type OptionPath } from '../options/index.ts';
import type { Overload } from '../overload/index.ts';
import type { RouteTable } from '../router/route.ts';
import type { CounterHandle, GaugeHandle, Stats } from '../stats/index.ts';
import { admissionPolicy } from './admit.ts';
import { bind, bindShared, letFewWait, type OpenSocket, type SharedSocket } from './bind.ts';
import { loadCertificates, tlsVersion, type CertificateStore } from './certificates.ts';
import { ClientCeiling, clientOf } from './client-ceiling.ts';
import type { Codec, CodecContext } from './codec.ts';
import type { ListenerConfig, TlsConfig } from './config.ts';
import { cutConnections, type ConnectionCut } from './cut-connections.ts';
import { downstreamOf } from './downstream.ts';
import { ExchangeCounters } from './exchange-counters.ts';
import { Http1Codec } from './http1/codec.ts';
import { Http2Codec } from './http2/codec.ts';
import type { Generation } from './serve.ts';
import { IdleConnections, type Closable } from './idle-connections.ts';
import { RefusedConnections, type ConnectionRefusal } from './refused-connections.ts';
import { Members } from './members.ts';
import { nextLook, noneWaits } from './none-waits.ts';
import { sniffProtocol } from './sniff-protocol.ts';

/** Everything a listener gets from outside. */
export interface ListenerDependencies {
  /** The current routes. Asked once per exchange, so a reload swaps what it answers. */
  routes(): RouteTable;
  /** Whose `onLog` hooks hear of requests that were refused before they had a route. */
  refusedChain(): FilterChain;
  /** Those who go by them; entered and left once per exchange. */
  generation?(): Generation;
  readonly stats: Stats;
  readonly clock: Clock;
  readonly log: FilterLog;
  /** Of the whole process; left out, nothing is ever too much. */
  readonly overload?: Overload | undefined;
  /** Where its socket comes from; left out, it makes its own. */
  readonly openSocket?: OpenSocket | undefined;
  /** Resolves paths of certificates against the folder of the configuration file. */
  resolvePath(path: string): string;
  /** Place of this listener in the configuration, for faults. */
  readonly path: OptionPath;
  /** Speaks HTTP/1 on accepted sockets. Default: Portico's own codec; tests compare it with others. */
  readonly http1?: (context: CodecContext) => Codec;
  /** The same for HTTP/2. */
  readonly http2?: (context: CodecContext) => Codec;
}

/** For GET /listeners. */
export interface ListenerState {
  readonly name: string;
  /** The address it really has, so port 0 is resolved. */
  readonly address: string;
  /** `HTTP/1.1`, `HTTP/2`. */
  readonly protocols: readonly string[];
  readonly tls?:
    { readonly certificates: readonly { readonly names: readonly string[]; readonly not_after: string }[] } | undefined;
  readonly connections: number;
  readonly active_exchanges: number;
}

/**
 * Makes a listener that does not listen yet.
 * @throws ConfigError when its certificates cannot be used
 */
export async function createListener(config: ListenerConfig, dependencies: ListenerDependencies): Promise<Listener> {
  const certificates =
    config.tls === undefined
      ? undefined
      : await loadCertificates(config.tls, (path) => dependencies.resolvePath(path), [...dependencies.path, 'tls']);
  return new Listener(config, dependencies, certificates);
}

/** Milliseconds between two looks for connections that have become idle while closing. */
const closingInterval = 50;
/** Milliseconds for a client that has connected and not spoken yet: its request may be on its way. */
const silentGrace = 500;
/** Most milliseconds, at the end of the deadline, for tunnels to say goodbye. */
const goodbyeTime = 1000;
/** Most milliseconds of closing with hardly any room to wait, in which a handshake under way may have nowhere to go. */
const mostLastLook = 5;

export class Listener {
  readonly name: string;
  readonly #config: ListenerConfig;
  readonly #dependencies: ListenerDependencies;
  /** Accepts connections; one that takes the place of another gets that one's. */
  #acceptor: Server | undefined;
  /** Its socket, when others have it too. */
  #shared: SharedSocket | undefined;
  /** Shakes hands on accepted connections; it never listens itself. */
  readonly #tls: TlsServer | undefined;
  readonly #http1: Codec;
  readonly #http2: Codec;
  readonly #counters: ExchangeCounters;
  readonly #clients: ClientCeiling;
  readonly #idle: IdleConnections;
  readonly #refused: RefusedConnections;
  readonly #accepted: CounterHandle;
  readonly #open: GaugeHandle;
  readonly #handshakeFailures: CounterHandle | undefined;
  readonly #cut: (reason: ConnectionCut) => void;
  /** Accepted and not yet closed, whether or not their protocol is known. */
  readonly #sockets = new Members<Socket>();
  readonly #tunnels = new Set<Tunnel>();
  /** Of the sockets, those that have not said anything yet, and since when. */
  readonly #undecided = new Map<Socket, number>();
  #certificates: CertificateStore | undefined;
  #address: Address;
  #nextConnectionId = 1;
  /** Number of sockets accepted. */
  #acceptedSockets = 0;
  #state: 'new' | 'listening' | 'stopped' = 'new';
  #empty: () => void = () => {};

  /** Use {@link createListener}. */
  constructor(config: ListenerConfig, dependencies: ListenerDependencies, certificates: CertificateStore | undefined) {
    const { stats, clock, log } = dependencies;
    this.name = config.name;
    this.#config = config;
    this.#dependencies = dependencies;
    this.#certificates = certificates;
    this.#address = config.address;
    this.#counters = new ExchangeCounters(stats, config.name, dependencies.overload);
    this.#clients = new ClientCeiling(config.max_connections_per_client);
    this.#idle = new IdleConnections(() => this.#closable());
    this.#refused = new RefusedConnections(config.name, dependencies);
    const labels = { listener: config.name };
    this.#accepted = stats
      .counter('portico_listener_connections_total', 'Connections accepted.', ['listener'])
      .with(labels);
    this.#open = stats.gauge('portico_listener_connections', 'Open connections.', ['listener']).with(labels);
    if (config.tls !== undefined) {
      this.#handshakeFailures = stats
        .counter('portico_listener_tls_handshake_failures_total', 'TLS handshakes that failed or took too long.', [
          'listener',
        ])
        .with(labels);
    }
    const cut = cutConnections(stats, config.name);
    this.#cut = cut;
    const context: CodecContext = {
      config,
      policy: admissionPolicy(config),
      cut,
      serve: {
        routes: () => dependencies.routes(),
        refusedChain: () => dependencies.refusedChain(),
        ...(dependencies.generation === undefined ? {} : { generation: () => dependencies.generation!() }),
        tunnels: this.#tunnels,
        counters: this.#counters,
        clock,
        log,
        overload: dependencies.overload,
        streamIdleTimeout: config.stream_idle_timeout,
        via: config.via,
      },
    };
    this.#http1 = dependencies.http1?.(context) ?? new Http1Codec(context);
    this.#http2 = dependencies.http2?.(context) ?? new Http2Codec(context);
    if (config.tls !== undefined) this.#tls = this.#tlsServer(config.tls);
  }

  /** The address it really has, once it listens. */
  address(): Address {
    return this.#address;
  }

  /** @throws Error with one line that says where it cannot listen, and why */
  async listen(): Promise<void> {
    const server = createServer({
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 60_000,
    });
    this.#acceptor = server;
    this.#attend(server);
    const { openSocket } = this.#dependencies;
    if (openSocket === undefined) {
      this.#address = await bind(server, this.#config.address, this.name);
    } else {
      this.#shared = await bindShared(server, this.#config.address, this.name, openSocket);
      this.#address = this.#shared.address;
    }
    this.#listening();
  }

  /**
   * Gets the connections that another one listens for, from now on and without a gap. That one then is as if it had been
   * stopped.
   */
  takeOver(from: Listener): void {
    const server = from.#acceptor!;
    from.#acceptor = undefined;
    this.#shared = from.#shared;
    from.#shared = undefined;
    from.#state = 'stopped';
    server.removeAllListeners('connection').removeAllListeners('error');
    this.#acceptor = server;
    this.#address = from.#address;
    this.#attend(server);
    this.#listening();
  }

  #attend(server: Server): void {
    server.on('connection', (socket) => this.#accept(socket));
  }

  #listening(): void {
    this.#state = 'listening';
    // Node emits errors of accept() here, such as EMFILE; the next connection may go well again.
    this.#acceptor!.on('error', (error) =>
      this.#dependencies.log.warn('accepting a connection failed', { error: error.message }),
    );
  }

  /** From now on answers say that their connection ends; connections go on being accepted. */
  drain(): void {
    this.#http1.drain();
    this.#http2.drain();
  }

  /** Accepts no more; connections that are there go on. */
  stopAccepting(): void {
    if (this.#state !== 'listening') return;
    this.#state = 'stopped';
    // The handle is closed at once; what its callback would wait for, all connections, is `close` below.
    this.#acceptor?.close();
  }

  /**
   * Accepts no more, closes idle connections politely and waits for running exchanges.
   * @param deadline milliseconds until the rest is cut
   * @returns the number of exchanges that were cut
   */
  async close(deadline: number): Promise<{ forced: number }> {
    const letGo = this.#shared?.letGo();
    if (deadline > 0) {
      this.drain();
      await this.#acceptWhatWaits(deadline, (await letGo) ?? true);
    }
    this.stopAccepting();
    if (deadline > 0 && this.#sockets.size > 0) {
      const goodbye = Math.min(goodbyeTime, deadline / 4);
      await this.#finished(deadline - goodbye);
      for (const tunnel of this.#tunnels) tunnel.leave?.();
      if (this.#sockets.size > 0) await this.#finished(goodbye);
    }
    // Tunnels have been told to go; where no client is left, nobody is cut off.
    const forced = this.#sockets.size === 0 ? 0 : Math.max(0, this.#counters.running - this.#tunnels.size);
    this.#http1.destroy();
    this.#http2.destroy();
    for (const socket of this.#sockets) socket.destroy();
    return { forced };
  }

  /**
   * The kernel finishes connections before we get them, and resets those that still wait when the socket is closed. So it
   * is closed right behind a look at that queue which found it empty and was not long ago. Before the last look the queue
   * gets as small as can be: should we lose the CPU behind it, whoever comes then is not let in, and refused later.
   * @param last nobody else has the socket
   */
  async #acceptWhatWaits(deadline: number, last: boolean): Promise<void> {
    const queue = {
      accepted: () => this.#acceptedSockets,
      now: () => this.#dependencies.clock.monotonic(),
      look: nextLook,
      over: () => this.#state !== 'listening',
    };
    await noneWaits(queue, deadline / 2);
    if (!last || this.#acceptor === undefined) return;
    letFewWait(this.#acceptor);
    await noneWaits(queue, mostLastLook);
  }

  /** Files whose change calls for {@link reloadCertificates}. */
  certificateFiles(): string[] {
    const { tls } = this.#config;
    if (tls === undefined) return [];
    const files = tls.certificates.flatMap(({ certificate_chain, private_key }) => [certificate_chain, private_key]);
    if (tls.client_ca !== undefined) files.push(tls.client_ca);
    return files.map((file) => this.#dependencies.resolvePath(file));
  }

  /**
   * Reads the certificates again; on a fault the old ones stay. Answers whether they are others now.
   * @throws ConfigError
   */
  async reloadCertificates(): Promise<boolean> {
    if (this.#config.tls === undefined) return false;
    const dependencies = this.#dependencies;
    const store = await loadCertificates(this.#config.tls, (path) => dependencies.resolvePath(path), [
      ...dependencies.path,
      'tls',
    ]);
    if (this.#certificates?.shows(store) === true) return false;
    this.#certificates = store;
    // For clients that name no server; all others are served by the SNI callback.
    this.#tls!.setSecureContext(defaultContext(store, this.#config.tls));
    return true;
  }

  show(): ListenerState {
    const { protocol } = this.#config;
    return {
      name: this.name,
      address: showAddress(this.#address),
      protocols: protocol === 'auto' ? ['HTTP/1.1', 'HTTP/2'] : [protocol === 'http1' ? 'HTTP/1.1' : 'HTTP/2'],
      tls:
        this.#certificates === undefined
          ? undefined
          : {
              certificates: this.#certificates.certificates.map(({ names, notAfter }) => ({
                names,
                not_after: notAfter.toISOString(),
              })),
            },
      connections: this.#sockets.size,
      active_exchanges: this.#counters.running,
    };
  }

  #accept(socket: Socket): void {
    this.#acceptedSockets++;
    const client = clientOf(socket.remoteAddress ?? 'unix');
    const refusal = this.#refusal(client);
    if (refusal !== undefined) {
      this.#refused.add(refusal, client);
      socket.on('error', () => {});
      socket.destroy();
      return;
    }
    this.#track(socket, client);
    if (this.#tls !== undefined) return void this.#tls.emit('connection', socket);
    const { protocol, request_headers_timeout: timeout } = this.#config;
    const downstream = downstreamOf(socket, this.name, this.#nextConnectionId++, undefined);
    if (protocol === 'http1') return this.#http1.accept(socket, downstream);
    if (protocol === 'http2') return this.#http2.accept(socket, downstream);
    this.#undecided.set(socket, this.#dependencies.clock.monotonic());
    sniffProtocol(socket, timeout, (found, first) => {
      this.#undecided.delete(socket);
      (found === 'http2' ? this.#http2 : this.#http1).accept(socket, downstream);
      socket.unshift(first);
      socket.resume();
    });
  }

  /** Why a new connection cannot be had. Where there are too many, one that is idle gives way to it. */
  #refusal(client: string): ConnectionRefusal | undefined {
    if (this.#clients.reached(client)) return 'max_connections_per_client';
    const { max_connections: most } = this.#config;
    if (most > 0 && this.#sockets.size >= most && !this.#makeRoom()) return 'max_connections';
    const { overload } = this.#dependencies;
    const trigger = overload?.connectionRefusal();
    if (trigger === undefined || (trigger === 'connections' && this.#makeRoom())) return undefined;
    overload?.connectionRefused(trigger);
    return 'overload';
  }

  #makeRoom(): boolean {
    return this.#idle.closeLongestIdle(this.#dependencies.clock.monotonic());
  }

  *#closable(): Generator<Closable> {
    const cut = this.#cut;
    for (const codec of [this.#http1, this.#http2]) {
      for (const connection of codec.connections?.() ?? []) {
        yield {
          get idleSince() {
            return connection.idleSince;
          },
          close() {
            cut('longest_idle');
            connection.close();
          },
        };
      }
    }
    for (const [socket, since] of this.#undecided) {
      yield {
        // One that has just come is about to speak.
        idleSince: socket.destroyed || since + silentGrace > this.#dependencies.clock.monotonic() ? undefined : since,
        close() {
          cut('longest_idle');
          socket.destroy();
        },
      };
    }
  }

  #tlsServer(tls: TlsConfig): TlsServer {
    const server = createTlsServer({
      ...defaultContext(this.#certificates!, tls),
      handshakeTimeout: tls.handshake_timeout,
      requestCert: tls.client_ca !== undefined,
      rejectUnauthorized: tls.client_ca !== undefined && tls.require_client_certificate,
      ALPNProtocols:
        this.#config.protocol === 'auto' ? ['h2', 'http/1.1'] : [this.#config.protocol === 'http2' ? 'h2' : 'http/1.1'],
      SNICallback: (serverName, done) => done(null, this.#certificates!.choose(serverName).context),
    });
    server.on('tlsClientError', (_error, socket) => {
      this.#handshakeFailures?.add();
      socket.destroy();
    });
    server.on('secureConnection', (socket: TLSSocket) => {
      socket.on('error', () => {});
      const downstream = downstreamOf(socket, this.name, this.#nextConnectionId++, socket);
      const codec = socket.alpnProtocol === 'h2' || this.#config.protocol === 'http2' ? this.#http2 : this.#http1;
      codec.accept(socket, downstream);
    });
    return server;
  }

  #track(socket: Socket, client: string): void {
    const { overload } = this.#dependencies;
    this.#clients.opened(client);
    overload?.connectionOpened();
    const leave = this.#sockets.add(socket);
    this.#accepted.add();
    this.#open.add(1);
    socket.on('error', () => {});
    socket.on('close', () => {
      leave();
      this.#undecided.delete(socket);
      this.#open.add(-1);
      this.#clients.closed(client);
      overload?.connectionClosed();
      if (this.#sockets.size === 0) this.#empty();
    });
  }

  /** Resolves when the last connection is closed, or at the deadline. */
  #finished(deadline: number): Promise<void> {
    const silentUntil = this.#dependencies.clock.monotonic() + silentGrace;
    return new Promise((resolve) => {
      const closeIdle = () => {
        this.#http1.closeIdle();
        this.#http2.closeIdle();
        if (this.#dependencies.clock.monotonic() >= silentUntil)
          for (const socket of this.#undecided.keys()) socket.destroy();
      };
      const interval = setInterval(closeIdle, closingInterval);
      const done = () => {
        clearInterval(interval);
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(done, deadline);
      this.#empty = done;
      closeIdle();
      if (this.#sockets.size === 0) done();
    });
  }
}

/** What a client is shown that names no server. */
function defaultContext(store: CertificateStore, tls: TlsConfig): SecureContextOptions {
  const { cert, key, passphrase, ca } = store.certificates[0].pem;
  return {
    cert,
    key,
    minVersion: tlsVersion(tls),
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(ca === undefined ? {} : { ca }),
  };
}
