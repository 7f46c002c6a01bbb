import { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import {
  Exchange,
  Headers,
  noBody,
  type Downstream,
  type LocalReply,
  type Request,
  type Upgrade,
} from '../../../src/http/index.ts';
import { refuse } from '../../../src/listener/admit.ts';
import type { CodecContext } from '../../../src/listener/codec.ts';
import { serve } from '../../../src/listener/serve.ts';
import { Watch } from '../../../src/listener/watch.ts';
import { readHead, type Http1Request } from './read-head.ts';
import { Http1RequestBody } from './request-body.ts';
import { Http1Writer } from './writer.ts';

/** Requests that may wait behind one that is being answered; the connection ends after the last of them. */
const mostWaiting = 64;
/** Bodies up to this size are waited for a moment, so that they can leave in one write, and drained to keep the connection. */
const smallBody = 64 * 1024;
/** Milliseconds in which an answer still reaches a client that has closed its side: most such clients are simply gone. */
const halfCloseGrace = 50;
/** Milliseconds between our end of the connection and its destruction, for the client to read the last answer (RFC 9112 §9.6). */
const lingerTime = 1000;

/** One exchange on the connection, from its arrival to its end. */
interface Turn {
  readonly watch: Watch;
  /** The request, as long as it can still go wrong. */
  readonly message: IncomingMessage | undefined;
  readonly body: Http1RequestBody | undefined;
  readonly writer: Http1Writer;
  /** The answer, when the request has been found wrong before its turn. */
  refused: LocalReply | undefined;
  run(): Promise<void>;
}

/**
 * A client's HTTP/1 connection: exchanges take turns, as RFC 9112 §9.3.2 asks for where requests are not all safe, and a
 * faulty message is answered after those before it.
 */
export class Http1Connection {
  readonly downstream: Downstream;
  readonly #socket: Socket;
  readonly #context: CodecContext;
  readonly #localAuthority: string;
  readonly #turns: Turn[] = [];
  /** `last`: an answer has said that the connection ends; what comes after it is not read (RFC 9112 §9.6). */
  #state: 'open' | 'failed' | 'last' | 'tunnel' | 'closed' = 'open';
  #overflown = false;
  /** A request that asked for an upgrade in vain: node:http has dropped what came behind it, so nothing after it can be framed. */
  #declined: IncomingMessage | undefined;
  #head: { of: IncomingMessage; head: Http1Request } | undefined;
  draining = false;

  constructor(socket: Socket, downstream: Downstream, context: CodecContext) {
    this.#socket = socket;
    this.#context = context;
    this.downstream = downstream;
    this.#localAuthority = authorityOf(downstream);
    socket.on('close', () => this.#closed());
    socket.on('end', () => this.#halfClosed());
    // node:http calls it after an answer with which the connection ends.
    socket.destroySoon = () => this.#linger();
  }

  get idle(): boolean {
    return this.#turns.length === 0;
  }

  /** Called now and then. */
  look(now: number): void {
    for (const turn of this.#turns) turn.watch.look(now);
  }

  get state(): string {
    return this.#state;
  }

  /** A request head is complete. */
  request(message: IncomingMessage, response: ServerResponse): void {
    if (this.#state !== 'open' || (this.#declined !== undefined && this.#declined !== message)) return;
    if (this.#turns.length >= mostWaiting) {
      this.#overflown = true;
      return;
    }
    const head = this.#headOf(message);
    this.#head = undefined;
    this.#take(this.#turnOf(message, head, response));
  }

  /** The parser met something that is not HTTP, or waited too long for it. */
  fault(refused: LocalReply): void {
    if (this.#state !== 'open') return;
    this.#state = 'failed';
    const last = this.#turns.at(-1);
    if (last?.message === undefined || last.message.complete) {
      this.#take(this.#orphan(refused));
      return;
    }
    last.refused = refused;
    last.watch.end({ kind: 'reply', reply: refused });
    last.body?.break(new Error(refused.local.details));
  }

  /** The request took too long to arrive. That is nobody's concern any more once it is being answered. */
  late(refused: LocalReply): void {
    if (this.#turns.at(-1)?.writer.started !== true) this.fault(refused);
  }

  /** Says whether the connection may leave HTTP for what the request asks. If not, it ends with the answer. */
  mayUpgrade(message: IncomingMessage): boolean {
    this.#declined ??= message;
    if (!this.#upgradable(message)) return false;
    this.#declined = undefined;
    return true;
  }

  #upgradable(message: IncomingMessage): boolean {
    const protocol = message.headers.upgrade?.trim().toLowerCase();
    if (
      this.#state !== 'open' ||
      !this.idle ||
      protocol === undefined ||
      !/^[\w!#$%&'*+.^`|~-]+(?:\/[\w.-]+)?$/.test(protocol)
    )
      return false;
    if (message.method !== 'GET' || message.httpVersion !== '1.1') return false;
    const head = this.#headOf(message);
    if (head.refused !== undefined || head.framing.kind !== 'none') return false;
    const { serve: context } = this.#context;
    if (
      !context
        .routes()
        .match(this.#requestOf(message, head, undefined))
        .upgrades.has(protocol)
    )
      return false;
    if (protocol !== 'websocket' || /^[A-Za-z0-9+/]{22}==$/.test(message.headers['sec-websocket-key'] ?? ''))
      return true;
    this.#head = { of: message, head: { ...head, refused: refuse(400, 'websocket_key_invalid') } };
    return false;
  }

  /** The parser has let go of the socket: the request may become a tunnel. */
  upgrade(message: IncomingMessage, bytes: Uint8Array): void {
    delete (this.#socket as Partial<Socket>).destroySoon;
    const upgrade: Upgrade = {
      protocol: message.headers.upgrade!.trim().toLowerCase(),
      socket: this.#socket,
      head: bytes,
    };
    const head = this.#headOf(message);
    this.#head = undefined;
    this.#state = 'tunnel';
    this.#take(this.#turnOf(message, head, undefined, upgrade));
  }

  #take(turn: Turn): void {
    if (this.#turns.push(turn) === 1) void this.#serveTurns();
  }

  async #serveTurns(): Promise<void> {
    for (let turn = this.#turns[0]; turn !== undefined; turn = this.#turns[0]) {
      await turn.run();
      this.#turns.shift();
      if (this.#state === 'last' || this.#state === 'closed') this.#turns.length = 0;
    }
  }

  #turnOf(message: IncomingMessage, head: Http1Request, response: ServerResponse | undefined, upgrade?: Upgrade): Turn {
    const { clock } = this.#context.serve;
    const started = clock.monotonic();
    const elapsed = () => clock.monotonic() - started;
    const watch = new Watch();
    const { framing } = head;
    let continued = !head.expectsContinue;
    const body =
      framing.kind === 'none'
        ? undefined
        : new Http1RequestBody(message, {
            length: framing.kind === 'length' ? framing.length : undefined,
            limit: this.#context.policy.maxBody,
            maxTrailers: this.#context.policy.maxHeaders,
            wanted() {
              if (!continued) writer.continue();
              continued = true;
            },
            watch,
            elapsed,
          });
    const exchange = new Exchange(
      this.downstream,
      message.httpVersionMinor === 0 ? 'HTTP/1.0' : 'HTTP/1.1',
      this.#requestOf(message, head, body, upgrade),
      head.clientAddress,
      { time: clock.now(), monotonic: started },
    );
    if (body === undefined) exchange.requestDuration = 0;
    body?.belongsTo(exchange);
    const small = framing.kind === 'length' && framing.length <= smallBody;
    const writer: Http1Writer = new Http1Writer({
      exchange,
      watch,
      response: () => (response ??= this.#ownResponse(message)),
      method: message.method ?? '',
      isLast: () => {
        const unread = body !== undefined && !message.complete;
        // After a faulty request nobody can be sure where the next one starts.
        const last =
          turn.refused !== undefined ||
          this.#isLast(turn) ||
          response?.shouldKeepAlive !== true ||
          (unread && (!small || !continued));
        if (last && this.#state === 'open') this.#state = 'last';
        return last;
      },
      breakConnection: (how) => this.#break(how),
      elapsed,
    });
    const turn: Turn = {
      watch,
      message: body === undefined ? undefined : message,
      body,
      writer,
      refused: head.refused,
      run: async () => {
        if (body !== undefined && continued && turn.refused === undefined) {
          body.start();
          if (small) await new Promise(setImmediate);
        }
        await new Promise<void>((served) =>
          serve(exchange, writer, watch, this.#context.serve, { served }, turn.refused),
        );
        if (turn.refused !== undefined) this.#context.serve.counters.protocolError(turn.refused.local.details);
        body?.break(new Error('the request has been answered'));
        // What is left of the body is read and thrown away, or the client could not read the answer.
        if (body !== undefined && !message.complete) message.resume();
        if (upgrade !== undefined && exchange.response?.tunnel === undefined) this.#linger();
      },
    };
    return turn;
  }

  /** A turn for what never became a request. */
  #orphan(refused: LocalReply): Turn {
    const { clock, counters } = this.#context.serve;
    const started = clock.monotonic();
    const watch = new Watch();
    const message = new IncomingMessage(this.#socket);
    message.httpVersionMajor = 1;
    message.httpVersionMinor = 1;
    const request: Request = {
      method: '',
      scheme: this.downstream.tls === undefined ? 'http' : 'https',
      authority: '',
      path: '',
      headers: new Headers(),
      body: noBody,
      upgrade: undefined,
    };
    const exchange = new Exchange(this.downstream, 'HTTP/1.1', request, this.downstream.remoteAddress, {
      time: clock.now(),
      monotonic: started,
    });
    let response: ServerResponse | undefined;
    const writer = new Http1Writer({
      exchange,
      watch,
      response: () => (response ??= this.#ownResponse(message)),
      method: '',
      isLast: () => true,
      breakConnection: (how) => this.#break(how),
      elapsed: () => clock.monotonic() - started,
    });
    return {
      watch,
      message: undefined,
      body: undefined,
      writer,
      refused,
      run: async () => {
        counters.protocolError(refused.local.details);
        await new Promise<void>((served) => serve(exchange, writer, watch, this.#context.serve, { served }, refused));
        this.#linger();
      },
    };
  }

  /** Answers CONNECT, for which node:http hands over the bare socket. */
  refuseConnect(refused: LocalReply): void {
    this.#state = 'tunnel';
    this.#take(this.#orphan(refused));
  }

  #headOf(message: IncomingMessage): Http1Request {
    if (this.#head?.of === message) return this.#head.head;
    const head = readHead(
      {
        method: message.method ?? '',
        url: message.url ?? '',
        major: message.httpVersionMajor,
        minor: message.httpVersionMinor,
        rawHeaders: message.rawHeaders,
      },
      {
        scheme: this.downstream.tls === undefined ? 'http' : 'https',
        peer: this.downstream.remoteAddress,
        localAuthority: this.#localAuthority,
      },
      this.#context.policy,
    );
    this.#head = { of: message, head };
    return head;
  }

  #requestOf(
    message: IncomingMessage,
    head: Http1Request,
    body: Http1RequestBody | undefined,
    upgrade?: Upgrade,
  ): Request {
    return {
      method: message.method ?? '',
      scheme: this.downstream.tls === undefined ? 'http' : 'https',
      authority: head.authority,
      path: head.path,
      headers: head.headers,
      body: body ?? noBody,
      upgrade,
    };
  }

  /** A response of our own making, where node:http has none for us. */
  #ownResponse(message: IncomingMessage): ServerResponse {
    const response = new ServerResponse(message);
    response.shouldKeepAlive = false;
    response.assignSocket(this.#socket);
    return response;
  }

  /** The connection ends, and nobody waits behind this turn. */
  #isLast(turn: Turn): boolean {
    return (
      (this.draining || this.#overflown || this.#declined !== undefined || this.#state !== 'open') &&
      this.#turns.at(-1) === turn
    );
  }

  #break(how: 'close' | 'reset'): void {
    const plainTcp = this.downstream.tls === undefined && this.downstream.remotePort > 0;
    if (how === 'reset' && plainTcp) this.#socket.resetAndDestroy();
    else this.#socket.destroy();
  }

  /** Ends our side and waits a moment, reading on: closing with unread bytes would reset and may destroy the answer. */
  #linger(): void {
    const socket = this.#socket;
    if (this.#state !== 'closed') this.#state = 'last';
    if (socket.destroyed) return;
    socket.end();
    socket.resume();
    const timer = setTimeout(() => socket.destroy(), lingerTime);
    socket.once('close', () => clearTimeout(timer));
  }

  #halfClosed(): void {
    if (this.#state === 'tunnel' || this.idle) return;
    const timer = setTimeout(() => this.#socket.destroy(), halfCloseGrace);
    this.#socket.once('close', () => clearTimeout(timer));
  }

  #closed(): void {
    this.#state = 'closed';
    const reason = new Error('the client is gone');
    for (const turn of this.#turns) {
      turn.body?.break(reason);
      turn.watch.end({ kind: 'gone', reason });
    }
    this.#turns.length = Math.min(this.#turns.length, 1);
  }
}

function authorityOf(downstream: Downstream): string {
  if (downstream.localPort === 0) return 'localhost';
  const host = downstream.localAddress.includes(':') ? `[${downstream.localAddress}]` : downstream.localAddress;
  return `${host}:${downstream.localPort}`;
}
