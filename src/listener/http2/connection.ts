import type { Socket } from 'node:net';
import type { Downstream } from '../../http/index.ts';
import {
  clientPreface,
  defaultWindow,
  errorCode,
  frameFault,
  setting,
  type ErrorCode,
  type FrameFault,
} from '../../http2/index.ts';
import { readDirectly } from '../../socket/read-directly.ts';
import type { ConnectionCut } from '../cut-connections.ts';
import { Budgets } from './budgets.ts';
import type { Http2Context } from './codec.ts';
import { connectionWindow, Inbound, type InboundHost } from './inbound.ts';
import { Outbound } from './outbound.ts';
import { SocketWriter } from './socket-writer.ts';
import { streamWindow, type StreamExchange } from './stream-exchange.ts';
import { StreamTable } from './stream-table.ts';

/** Milliseconds for the client to acknowledge our settings (RFC 9113 §6.5.3). */
const settingsTimeout = 10_000;
/** Milliseconds and bytes that are read and thrown away behind our last frame, so that the client gets to read it. */
const lingerTime = 800;
const mostLingering = 4 * 1024 * 1024;
/** Milliseconds after which a client that does not answer is taken to have heard of the end. */
const announcedTime = 1000;
/** Milliseconds after which a connection is not expected to bring a request in the next moment. */
const requestGrace = 1000;

const drainPing = Buffer.from('portico!', 'latin1');
const prefaceInvalid = frameFault(errorCode.PROTOCOL_ERROR, 'http2_preface_invalid');
const settingsLate = frameFault(errorCode.SETTINGS_TIMEOUT, 'http2_settings_timeout');

/** What must happen next, and until when on the monotonic clock. */
type Waiting =
  | { readonly for: 'first request' | 'next request'; readonly since: number; readonly until: number }
  | { readonly for: 'answers' }
  /** Our last frame is out. */
  | { readonly for: 'end'; readonly until: number };

const answers: Waiting = { for: 'answers' };

/** A client's HTTP/2 connection: its socket, its deadlines and its end. What frames mean is in {@link Inbound}. */
export class Http2Connection implements InboundHost {
  readonly downstream: Downstream;
  readonly context: Http2Context;
  readonly outbound = new Outbound();
  readonly streams = new StreamTable<StreamExchange>();
  readonly budgets: Budgets;
  readonly #socket: Socket;
  readonly #inbound: Inbound;
  readonly #writer: SocketWriter;
  /** Bytes of the preface that are here. */
  #preface = 0;
  #waiting: Waiting;
  #settingsDue: number;
  #flushing = false;
  #lingered = 0;
  #draining = false;
  #closing = false;
  /** It ends as soon as the client has heard of it, without anybody asking. */
  #leaving = false;
  /** When the client is taken to know that the end is near, whether or not it has shown so. */
  #heardBy = Infinity;

  constructor(socket: Socket, downstream: Downstream, context: Http2Context) {
    this.#socket = socket;
    this.downstream = downstream;
    this.context = context;
    const { config, serve } = context;
    const now = serve.clock.monotonic();
    this.budgets = new Budgets(now);
    this.#inbound = new Inbound(this);
    this.#writer = new SocketWriter(socket, this.outbound, config);
    this.#settingsDue = now + settingsTimeout;
    this.#waiting = { for: 'first request', since: now, until: later(now, config.request_headers_timeout) };
    socket.setNoDelay?.(true);
    readDirectly(socket, this.#read);
    socket.on('drain', this.#drained);
    socket.on('end', () => this.#halfClosed());
    socket.on('error', () => {});
    socket.on('close', () => this.#closed());
    const { frames } = this.outbound;
    frames.settings([
      setting.MAX_CONCURRENT_STREAMS,
      config.max_concurrent_streams,
      setting.INITIAL_WINDOW_SIZE,
      streamWindow,
      setting.MAX_HEADER_LIST_SIZE,
      config.max_header_bytes,
    ]);
    frames.windowUpdate(0, connectionWindow - defaultWindow);
    this.flushSoon();
  }

  get idleSince(): number | undefined {
    const waiting = this.#waiting;
    if (!('since' in waiting)) return undefined;
    // One that has just come is about to speak.
    return waiting.for === 'first request' && this.context.now() - waiting.since < requestGrace
      ? undefined
      : waiting.since;
  }

  get closing(): boolean {
    return this.#closing;
  }

  /** Announces the end without refusing what is on its way (RFC 9113 §6.8). */
  drain(): void {
    if (this.#draining || this.#waiting.for === 'end') return;
    this.#draining = true;
    this.#heardBy = this.context.serve.clock.monotonic() + announcedTime;
    const { frames } = this.outbound;
    frames.goaway(2 ** 31 - 1, errorCode.NO_ERROR);
    // Behind the GOAWAY: whoever answers has read it, and what crossed it on the way has arrived.
    frames.ping(false, drainPing, 0);
    this.flushSoon();
  }

  /** The second step of the end, once the client knows of the first. */
  closeIfHeard(): void {
    if (this.context.serve.clock.monotonic() >= this.#heardBy) this.close();
  }

  /** Nobody loses an answer by it. The request of a new connection, or of one just used, may be on its way, and is waited for. */
  closeIfIdle(): void {
    const since = this.idleSince;
    if (since !== undefined && this.context.now() - since >= requestGrace) this.close();
  }

  /** Takes no further streams; the connection ends with the last one. */
  close(): void {
    if (this.#closing || this.#waiting.for === 'end') return;
    this.#closing = true;
    this.outbound.frames.goaway(this.streams.last, errorCode.NO_ERROR);
    if (this.streams.size === 0) this.#linger('polite');
    else this.flushSoon();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Called now and then. @param now monotonic milliseconds */
  look(now: number): void {
    const waiting = this.#waiting;
    if (waiting.for === 'end') {
      if (now >= waiting.until || this.#writer.look(now) !== undefined) this.#socket.destroy();
      return;
    }
    const { request_headers_timeout: headTimeout } = this.context.config;
    const headBegan = this.#inbound.headBegan;
    if (now >= this.#settingsDue) return this.fail(settingsLate);
    if (headBegan !== undefined && now >= later(headBegan, headTimeout)) return this.#expire('request_headers_timeout');
    if (waiting.for === 'answers') this.#lookAtStreams(now);
    else if (now >= waiting.until && !this.#draining)
      return this.#expire(waiting.for === 'first request' ? 'request_headers_timeout' : 'idle_timeout');
    const unread = this.#writer.look(now);
    if (unread !== undefined) this.#unread(unread);
    else if (this.#leaving) this.closeIfHeard();
  }

  /** GOAWAY, and then the end for those who do not listen to it. */
  #expire(reason: ConnectionCut): void {
    this.context.cut?.(reason);
    if (!this.#closing) this.outbound.frames.goaway(this.streams.last, errorCode.NO_ERROR);
    this.#closing = true;
    this.#abortStreams();
    this.#linger('cut');
  }

  #lookAtStreams(now: number): void {
    const { blocked, deaf } = this.#writer;
    // One stream that is held up can use up the window of all.
    let held = deaf;
    for (const stream of this.streams.live()) if (stream.held) held = true;
    for (const stream of this.streams.live()) stream.look(now, held, blocked);
  }

  /** The client does not read, or too slowly, whatever stream. */
  #unread(reason: ConnectionCut): void {
    if (this.streams.size === 0) this.context.cut?.(reason);
    for (const stream of this.streams.live()) stream.unread(reason);
    this.#socket.destroy();
  }

  readonly #read = (chunk: Buffer): void => {
    if (this.#waiting.for === 'end') {
      this.#lingered += chunk.length;
      if (this.#lingered > mostLingering) this.#socket.destroy();
      return;
    }
    let at = 0;
    if (this.#preface < clientPreface.length) {
      at = Math.min(chunk.length, clientPreface.length - this.#preface);
      if (chunk.compare(clientPreface, this.#preface, this.#preface + at, 0, at) !== 0)
        return this.fail(prefaceInvalid);
      this.#preface += at;
    }
    this.#inbound.reader.read(chunk, at);
  };

  readonly #drained = (): void => {
    this.#writer.drained();
    if (this.outbound.waiting) this.flush();
  };

  // What streams and frames ask for.

  flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    this.context.flushSoon(this);
  }

  /** Called at the end of a round of the event loop in which there was something to write. */
  flush(): void {
    this.#flushing = false;
    if (this.#socket.destroyed || this.#waiting.for === 'end') return;
    if (this.#writer.flush()) this.flushSoon();
  }

  begun(stream: StreamExchange): void {
    if (this.#waiting.for !== 'end') this.#waiting = answers;
    this.context.serveSoon(stream);
    if (this.context.serve.overload?.shedding === true) {
      this.#leaving = true;
      this.drain();
    }
  }

  ended(stream: StreamExchange): void {
    if (this.streams.close(stream.id, 'ended')) this.#streamClosed();
  }

  reset(stream: StreamExchange, code: ErrorCode): void {
    if (!this.streams.close(stream.id, 'reset by us')) return;
    this.outbound.frames.reset(stream.id, code);
    this.flushSoon();
    stream.over(new Error('the stream is closed'));
    this.#streamClosed();
  }

  resetByClient(stream: StreamExchange): void {
    this.streams.close(stream.id, 'reset by client');
    stream.aborted();
    this.#streamClosed();
  }

  used(bytes: number, stream: StreamExchange | undefined): void {
    const connection = this.#inbound.released(bytes);
    const ofStream = stream?.released(bytes) ?? 0;
    if (connection > 0) this.outbound.frames.windowUpdate(0, connection);
    if (ofStream > 0) this.outbound.frames.windowUpdate(stream!.id, ofStream);
    if (connection > 0 || ofStream > 0) this.flushSoon();
  }

  settingsAcknowledged(): void {
    // Until then the client has not shown that it speaks HTTP/2 at all.
    this.#settingsDue = Infinity;
    if (this.#waiting.for === 'first request') this.#awaitRequest();
  }

  pingAcknowledged(): void {
    if (this.#draining) this.#heardBy = 0;
  }

  leaving(code: number): void {
    // For a client that has met an error nothing is left to be done; others wait for their answers.
    if (code !== errorCode.NO_ERROR) this.#abortStreams();
    this.close();
  }

  fail(fault: FrameFault): void {
    if (this.#waiting.for === 'end') return;
    this.context.serve.counters.protocolError(fault.details);
    this.outbound.frames.goaway(this.streams.last, fault.code);
    this.#abortStreams();
    this.#linger('cut');
  }

  #streamClosed(): void {
    if (this.streams.size > 0 || this.#waiting.for !== 'answers') return;
    if (this.#closing) this.#linger('polite');
    else this.#awaitRequest();
  }

  #awaitRequest(): void {
    const now = this.context.serve.clock.monotonic();
    this.#waiting = { for: 'next request', since: now, until: later(now, this.context.config.idle_timeout) };
  }

  /**
   * The last frames leave, the client gets its time to read them, and then it is over (RFC 9113 §5.4.1).
   * @param how `polite`: that time begins when all has been read, however long it takes
   */
  #linger(how: 'polite' | 'cut'): void {
    this.flush();
    this.#inbound.reader.stop();
    const begin = () => {
      if (!this.#socket.destroyed)
        this.#waiting = { for: 'end', until: this.context.serve.clock.monotonic() + lingerTime };
    };
    this.#waiting = { for: 'end', until: Infinity };
    if (how === 'cut') begin();
    this.#socket.end(how === 'polite' ? begin : undefined);
    this.#socket.resume();
  }

  /** Nobody reads answers on half a connection of HTTP/2: a client that ends its side is gone. */
  #halfClosed(): void {
    if (this.#waiting.for === 'end') return;
    this.#abortStreams();
    this.#linger('cut');
  }

  #closed(): void {
    this.#waiting = { for: 'end', until: Infinity };
    this.#inbound.reader.stop();
    this.#abortStreams();
  }

  #abortStreams(): void {
    for (const stream of this.streams.live()) {
      this.streams.close(stream.id, 'reset by us');
      stream.aborted();
    }
  }
}

/** @param milliseconds 0 is never */
function later(now: number, milliseconds: number): number {
  return milliseconds > 0 ? now + milliseconds : Infinity;
}
