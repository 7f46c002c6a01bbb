import { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { Exchange, noBody, type Downstream } from '../../http/index.ts';
import { refuse } from '../admit.ts';
import type { CodecContext } from '../codec.ts';
import { serve } from '../serve.ts';
import { Watch } from '../watch.ts';
import { FloodGuard } from './flood-guard.ts';
import { readHead } from './read-head.ts';
import { Http2RequestBody } from './request-body.ts';
import { Http2Writer } from './writer.ts';

/** CVE-2023-44487: streams that are reset before their answer cost us a request and the client nothing. */
const mostResets = 100;
const resetWindow = 30_000;
/** CVE-2019-9512, CVE-2019-9515: PING and SETTINGS must be answered, one by one. */
const mostControlFrames = 100;
const controlWindow = 10_000;
/** Milliseconds for the last frames to leave after a session has ended. */
const closingTime = 1000;
/** Milliseconds after which a client that does not answer is taken to have heard of the end. */
const announcedTime = 1000;

/** A client's HTTP/2 connection. `node:http2` has no timeouts of its own, so they are here. */
export class Http2Connection {
  readonly #session: ServerHttp2Session;
  readonly #socket: Socket;
  readonly #downstream: Downstream;
  readonly #context: CodecContext;
  readonly #resets = new FloodGuard(mostResets, resetWindow);
  readonly #control = new FloodGuard(mostControlFrames, controlWindow);
  #streams = 0;
  /** `announced`: we have said that the end is near; `heard`: and the client knows. */
  #drain: 'no' | 'announced' | 'heard' = 'no';
  #timer: NodeJS.Timeout | undefined;

  constructor(session: ServerHttp2Session, socket: Socket, downstream: Downstream, context: CodecContext) {
    this.#session = session;
    this.#socket = socket;
    this.#downstream = downstream;
    this.#context = context;
    const { config } = context;
    session.on('error', () => {});
    session.on('close', () => this.#closed());
    session.on('stream', (stream, _headers, flags, raw) =>
      this.#stream(stream, raw, (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0),
    );
    session.on('ping', () => this.#controlFrame());
    session.on('remoteSettings', () => this.#controlFrame());
    // Until our settings are acknowledged the client has not shown that it speaks HTTP/2 at all.
    this.#endAfter(config.request_headers_timeout);
    session.once('localSettings', () => {
      if (this.#streams === 0) this.#endAfter(config.idle_timeout);
    });
    session.setLocalWindowSize(connectionWindow);
  }

  /** Announces the end without refusing what is on its way (RFC 9113 §6.8). */
  drain(): void {
    if (this.#drain !== 'no' || this.#session.destroyed) return;
    this.#drain = 'announced';
    this.#session.goaway(constants.NGHTTP2_NO_ERROR, 2 ** 31 - 1);
    const heard = () => {
      clearTimeout(timer);
      this.#drain = 'heard';
    };
    const timer = setTimeout(heard, announcedTime);
    timer.unref();
    this.#session.once('close', () => clearTimeout(timer));
    // Behind the GOAWAY: whoever answers has read it.
    this.#session.ping(heard);
  }

  /** The second step of the end, once streams that crossed the first one have arrived. */
  closeIfHeard(): void {
    if (this.#drain === 'heard') this.close();
  }

  /** Takes no further streams; the session ends with the last one. */
  close(): void {
    if (!this.#session.closed) this.#session.close();
  }

  #endAfter(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = milliseconds > 0 ? setTimeout(() => this.#expired(), milliseconds) : undefined;
  }

  /** GOAWAY, and then the end for those who do not listen to it. */
  #expired(): void {
    this.close();
    this.#timer = setTimeout(() => this.#session.destroy(), closingTime);
  }

  #closed(): void {
    clearTimeout(this.#timer);
    if (this.#socket.destroyed) return;
    const timer = setTimeout(() => this.#socket.destroy(), closingTime);
    this.#socket.once('close', () => clearTimeout(timer));
  }

  #controlFrame(): void {
    if (this.#control.spend(this.#context.serve.clock.monotonic())) this.#flooded('http2_control_flood');
  }

  #flooded(details: string): void {
    if (this.#session.destroyed) return;
    this.#context.serve.counters.protocolError(details);
    this.#session.destroy(new Error(details), constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }

  #stream(stream: ServerHttp2Stream, raw: readonly string[], complete: boolean): void {
    const { clock } = this.#context.serve;
    const started = clock.monotonic();
    const elapsed = () => clock.monotonic() - started;
    const scheme = this.#downstream.tls === undefined ? 'http' : 'https';
    const head = readHead(raw, { scheme, peer: this.#downstream.remoteAddress }, this.#context.policy);
    const watch = new Watch();
    let continued = !head.expectsContinue;
    const body = complete
      ? undefined
      : new Http2RequestBody(stream, {
          length: head.length,
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
      this.#downstream,
      'HTTP/2',
      {
        method: head.method,
        scheme,
        authority: head.authority,
        path: head.path,
        headers: head.headers,
        body: body ?? noBody,
        upgrade: undefined,
      },
      head.clientAddress,
      { time: clock.now(), monotonic: started },
    );
    if (body === undefined) exchange.requestDuration = 0;
    body?.belongsTo(exchange);
    const writer: Http2Writer = new Http2Writer(stream, { exchange, watch, method: head.method, elapsed });

    const requestTimer = this.#requestTimer(body, writer, watch);
    const gone = () => {
      const reason = new Error('the client is gone');
      body?.break(reason);
      watch.end({ kind: 'gone', reason });
    };
    this.#opened();
    stream.on('error', () => {});
    stream.on('aborted', gone);
    stream.on('close', () => {
      clearTimeout(requestTimer);
      if (stream.rstCode !== constants.NGHTTP2_NO_ERROR && !writer.started && this.#resets.spend(clock.monotonic())) {
        this.#flooded('http2_rapid_reset');
      }
      writer.closed();
      gone();
      this.#ended();
    });

    if (body !== undefined && continued && head.refused === undefined) body.start();
    // A tick later it is known whether the stream was reset in the same breath, and a small body has arrived.
    setImmediate(() => {
      if (stream.aborted || stream.destroyed) return;
      if (head.refused !== undefined) this.#context.serve.counters.protocolError(head.refused.local.details);
      void serve(exchange, writer, watch, this.#context.serve, head.refused).then(() => {
        clearTimeout(requestTimer);
        body?.break(new Error('the request has been answered'));
        // RFC 9113 §8.1: the answer is complete, the rest of the request is not wanted.
        if (!stream.closed && body?.finished === false) stream.close(constants.NGHTTP2_NO_ERROR);
      });
    });
  }

  #requestTimer(body: Http2RequestBody | undefined, writer: Http2Writer, watch: Watch): NodeJS.Timeout | undefined {
    const milliseconds = this.#context.config.request_timeout;
    if (body === undefined || milliseconds === 0) return undefined;
    return setTimeout(() => {
      if (body.finished || writer.started) return;
      const refused = refuse(408, 'request_timeout');
      this.#context.serve.counters.protocolError(refused.local.details);
      body.break(new Error(refused.local.details));
      watch.end({ kind: 'reply', reply: refused });
    }, milliseconds);
  }

  #opened(): void {
    this.#streams++;
    clearTimeout(this.#timer);
  }

  #ended(): void {
    if (--this.#streams > 0 || this.#session.destroyed) return;
    if (this.#drain === 'no') this.#endAfter(this.#context.config.idle_timeout);
  }
}

/** Bytes on their way to us on one connection, and on one stream (Envoy's edge guide: 1 MiB and 64 KiB). */
const connectionWindow = 1024 * 1024;
export const streamWindow = 256 * 1024;
