import { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { Downstream } from '../../../src/http/index.ts';
import type { CodecContext } from '../../../src/listener/codec.ts';
import type { ConnectionCut } from '../../../src/listener/cut-connections.ts';
import { FloodGuard } from '../../../src/listener/http2/flood-guard.ts';
import { OverheadBudget } from './overhead-budget.ts';
import { StreamExchange } from './stream-exchange.ts';

/** CVE-2023-44487: streams that are reset before their answer cost us a request and the client nothing. */
const mostResets = 100;
const resetWindow = 30_000;
/** CVE-2019-9512, CVE-2019-9515: PING and SETTINGS must be answered, one by one. */
const mostControlFrames = 100;
const controlWindow = 10_000;
/** Milliseconds for the client to acknowledge our settings (RFC 9113 §6.5.3). */
const settingsTimeout = 10_000;
/** Milliseconds for the last frames to leave after a session has ended. */
const closingTime = 1000;
/** Milliseconds after which a client that does not answer is taken to have heard of the end. */
const announcedTime = 1000;
/** Milliseconds between two looks at how much overhead came. */
const overheadInterval = 500;

/** Bytes on their way to us on one connection, and on one stream (Envoy's edge guide: 1 MiB and 64 KiB). */
const connectionWindow = 1024 * 1024;
export const streamWindow = 256 * 1024;

/** What must happen next, and until when on the monotonic clock. */
type Waiting =
  | { readonly for: 'first request' | 'next request'; readonly since: number; readonly until: number }
  | { readonly for: 'answers' }
  /** The end has been announced. */
  | { readonly for: 'end'; readonly until: number };

const answers: Waiting = { for: 'answers' };

/** A client's HTTP/2 connection. `node:http2` has no timeouts of its own, so they are here, as are the budgets. */
export class Http2Connection {
  readonly #session: ServerHttp2Session;
  readonly #socket: Socket;
  readonly #downstream: Downstream;
  readonly #context: CodecContext;
  readonly #resets = new FloodGuard(mostResets, resetWindow);
  readonly #control = new FloodGuard(mostControlFrames, controlWindow);
  readonly #overhead: OverheadBudget;
  readonly #streams = new Map<number, StreamExchange>();
  /** Streams of this round of the event loop. */
  #arrived: StreamExchange[] = [];
  #opened = 0;
  /** Content of streams that are over. */
  #received = 0;
  #sent = 0;
  #waiting: Waiting;
  #settingsDue: number;
  #overheadDue = 0;
  #draining = false;
  /** When the client is taken to know that the end is near, whether or not it has shown so. */
  #heardBy = Infinity;

  constructor(session: ServerHttp2Session, socket: Socket, downstream: Downstream, context: CodecContext) {
    this.#session = session;
    this.#socket = socket;
    this.#downstream = downstream;
    this.#context = context;
    const { config, serve } = context;
    const now = serve.clock.monotonic();
    this.#overhead = new OverheadBudget(config.max_header_bytes + streamWindow, now);
    this.#settingsDue = now + settingsTimeout;
    this.#waiting = { for: 'first request', since: now, until: later(now, config.request_headers_timeout) };
    // Nobody reads answers on half a connection of HTTP/2: a client that ends its side is gone.
    socket.on('end', () => session.destroy());
    session.on('error', () => {});
    session.on('close', () => this.#endBefore(closingTime));
    session.on('stream', (stream, _headers, flags, raw) =>
      this.#begin(stream, raw, (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0),
    );
    session.on('ping', () => this.#controlFrame());
    session.on('remoteSettings', () => this.#controlFrame());
    // Until our settings are acknowledged the client has not shown that it speaks HTTP/2 at all.
    session.once('localSettings', () => {
      this.#settingsDue = Infinity;
      if (this.#waiting.for === 'first request') this.#awaitRequest();
    });
    session.setLocalWindowSize(connectionWindow);
  }

  get idleSince(): number | undefined {
    return 'since' in this.#waiting ? this.#waiting.since : undefined;
  }

  /** Announces the end without refusing what is on its way (RFC 9113 §6.8). */
  drain(): void {
    if (this.#draining || this.#session.destroyed) return;
    this.#draining = true;
    this.#heardBy = this.#context.serve.clock.monotonic() + announcedTime;
    this.#session.goaway(constants.NGHTTP2_NO_ERROR, 2 ** 31 - 1);
    // Behind the GOAWAY: whoever answers has read it, and what crossed it on the way has arrived.
    this.#session.ping(() => (this.#heardBy = 0));
  }

  /** The second step of the end, once the client knows of the first. */
  closeIfHeard(): void {
    if (this.#context.serve.clock.monotonic() >= this.#heardBy) this.close();
  }

  /** Takes no further streams; the session ends with the last one. */
  close(): void {
    if (!this.#session.closed) this.#session.close();
  }

  /** Called now and then. @param now monotonic milliseconds */
  look(now: number): void {
    if (now >= this.#settingsDue) {
      this.#settingsDue = Infinity;
      this.#destroy('http2_settings_timeout', constants.NGHTTP2_SETTINGS_TIMEOUT);
    }
    const waiting = this.#waiting;
    if (waiting.for === 'end') {
      if (now < waiting.until) return;
      this.#session.destroy();
      this.#socket.destroy();
    } else if (waiting.for === 'answers') {
      this.#lookAtStreams(now);
    } else if (now >= waiting.until && !this.#draining) {
      this.#expire(waiting.for === 'first request' ? 'request_headers_timeout' : 'idle_timeout');
    }
    if (now >= this.#overheadDue) this.#weigh(now);
  }

  /** GOAWAY, and then the end for those who do not listen to it. */
  #expire(reason: ConnectionCut): void {
    this.#context.cut?.(reason);
    this.close();
    this.#endBefore(closingTime);
  }

  #endBefore(milliseconds: number): void {
    if (this.#waiting.for === 'end') return;
    this.#waiting = { for: 'end', until: this.#context.serve.clock.monotonic() + milliseconds };
  }

  #lookAtStreams(now: number): void {
    // One stream that is held up can use up the window of all.
    let held = false;
    for (const stream of this.#streams.values()) if (stream.held) held = true;
    for (const stream of this.#streams.values()) stream.look(now, held);
  }

  #weigh(now: number): void {
    this.#overheadDue = now + overheadInterval;
    let received = this.#received;
    let sent = this.#sent;
    for (const { exchange } of this.#streams.values()) {
      received += exchange.bytesReceived;
      sent += exchange.bytesSent;
    }
    const traffic = { read: this.#socket.bytesRead, received, sent, streams: this.#opened };
    if (this.#overhead.overdrawn(traffic, now)) this.#flooded('http2_overhead_flood');
  }

  #controlFrame(): void {
    if (this.#control.spend(this.#context.serve.clock.monotonic())) this.#flooded('http2_control_flood');
  }

  #flooded(details: string): void {
    this.#destroy(details, constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }

  /** GOAWAY with the code, and the end of all streams. */
  #destroy(details: string, code: number): void {
    if (this.#session.destroyed) return;
    this.#context.serve.counters.protocolError(details);
    this.#session.destroy(new Error(details), code);
  }

  #begin(stream: ServerHttp2Stream, raw: readonly string[], complete: boolean): void {
    const begun = new StreamExchange(stream, raw, complete, this.#downstream, this.#context);
    this.#opened++;
    this.#streams.set(stream.id!, begun);
    if (this.#waiting.for !== 'end') this.#waiting = answers;
    stream.on('error', ignore);
    stream.on('aborted', this.#onAborted);
    stream.on('close', this.#onClose);
    if (!complete) stream.on('finish', this.#onFinish);
    // A tick later it is known whether the stream was reset in the same breath, and a small body has arrived.
    if (this.#arrived.push(begun) === 1) setImmediate(this.#serveArrived);
  }

  readonly #serveArrived = (): void => {
    const arrived = this.#arrived;
    this.#arrived = [];
    for (const stream of arrived) stream.serve();
  };

  // The same three functions for all streams: what a stream refers to lives longer than the stream, because its handle in
  // C++ is let go of only by the big garbage collection.

  readonly #onAborted = this.#ofStream((stream) => stream.aborted());
  readonly #onFinish = this.#ofStream((stream) => stream.finished());
  readonly #onClose = this.#ofStream((stream, id) => {
    this.#streams.delete(id);
    this.#received += stream.exchange.bytesReceived;
    this.#sent += stream.exchange.bytesSent;
    if (stream.closed() === 'in vain' && this.#resets.spend(this.#context.serve.clock.monotonic()))
      this.#flooded('http2_rapid_reset');
    if (this.#streams.size === 0 && this.#waiting.for === 'answers') this.#awaitRequest();
  });

  #ofStream(act: (stream: StreamExchange, id: number) => void): (this: ServerHttp2Stream) => void {
    const streams = this.#streams;
    return function ofStream(this: ServerHttp2Stream) {
      const stream = streams.get(this.id!);
      if (stream !== undefined) act(stream, this.id!);
    };
  }

  #awaitRequest(): void {
    const now = this.#context.serve.clock.monotonic();
    this.#waiting = { for: 'next request', since: now, until: later(now, this.#context.config.idle_timeout) };
  }
}

function ignore(): void {}

/** @param milliseconds 0 is never */
function later(now: number, milliseconds: number): number {
  return milliseconds > 0 ? now + milliseconds : Infinity;
}
