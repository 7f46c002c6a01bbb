import { Exchange, noBody, type Downstream, type LocalReply } from '../../http/index.ts';
import { errorCode, ReceiveWindow, type ErrorCode } from '../../http2/index.ts';
import { refuse, trailersFrom } from '../admit.ts';
import { ResponsePace } from '../response-pace.ts';
import { serve, type Served } from '../serve.ts';
import { Watch } from '../watch.ts';
import { BodyPace } from './body-pace.ts';
import type { Http2Context } from './codec.ts';
import type { Outbound } from './outbound.ts';
import { readHead } from './read-head.ts';
import { Http2RequestBody } from './request-body.ts';
import { Http2Writer, type WriterHost } from './writer.ts';

/** Bytes of one stream's content on their way to us. */
export const streamWindow = 256 * 1024;

/** What a stream asks of its connection. */
export interface StreamHost {
  readonly outbound: Outbound;
  readonly context: Http2Context;
  readonly downstream: Downstream;
  flushSoon(): void;
  /** RST_STREAM, unless it is over. */
  reset(stream: StreamExchange, code: ErrorCode): void;
  /** Both sides have said all. */
  ended(stream: StreamExchange): void;
  /** Content has been used: the connection's window opens, and the stream's if `stream` can go on. */
  used(bytes: number, stream: StreamExchange | undefined): void;
}

/** The head of a request as it came. */
export interface StreamHead {
  readonly id: number;
  /** Name, value, name, value …. */
  readonly raw: readonly string[];
  /** There is no content. */
  readonly complete: boolean;
  /** What is malformed or refused about it already. */
  readonly faulty: { readonly malformed?: string; readonly refused?: LocalReply } | undefined;
}

/** One stream, which carries one exchange. */
export class StreamExchange implements WriterHost, Served {
  readonly id: number;
  readonly exchange: Exchange;
  readonly outbound: Outbound;
  readonly writer: Http2Writer;
  /** The request is malformed, and the stream must be reset. */
  readonly malformed: boolean;
  readonly #host: StreamHost;
  readonly #watch = new Watch();
  readonly #body: Http2RequestBody | undefined;
  readonly #pace: BodyPace | undefined;
  #refused: LocalReply | undefined;
  /** Its refusal has been counted. */
  #counted = false;
  #receive: ReceiveWindow | undefined;
  #requestOpen: boolean;
  #answerOpen = true;
  /** It is no more, on the wire. */
  #over = false;
  /** Content that was announced by frames so far, and by content-length. */
  #announced = 0;
  readonly #length: number | undefined;
  /** Bytes of the answer that wait for the client, and since when it has taken none of them. */
  #pending = 0;
  #pendingSince: number | undefined;
  #responsePace: ResponsePace | undefined;

  constructor(head: StreamHead, host: StreamHost) {
    const { context, downstream } = host;
    const { config, policy } = context;
    const { clock } = context.serve;
    const { remoteAddress: peer, tls } = downstream;
    const started = clock.monotonic();
    const scheme = tls === undefined ? 'http' : 'https';
    const origin = { scheme, peer, clientCertificate: tls?.clientCertificate } as const;
    const request = readHead(head.raw, head.complete, origin, policy, head.faulty);
    this.id = head.id;
    this.#host = host;
    this.outbound = host.outbound;
    this.#refused = request.refused;
    this.malformed = request.malformed;
    this.#requestOpen = !head.complete;
    this.#length = request.length;
    this.exchange = new Exchange(
      downstream,
      'HTTP/2',
      {
        method: request.method,
        scheme,
        authority: request.authority,
        path: request.path,
        headers: request.headers,
        body: noBody,
        upgrade: undefined,
      },
      request.clientAddress,
      { time: clock.now(), monotonic: started },
    );
    this.writer = new Http2Writer(this, this.exchange, this.#watch);
    if (head.complete || request.malformed) {
      this.exchange.requestDuration = 0;
      return;
    }
    this.#receive = new ReceiveWindow(streamWindow);
    this.#body = new Http2RequestBody({
      length: request.length,
      announced: request.announced,
      limit: policy.maxBody,
      awaited: request.expectsContinue ? () => this.#askForContent() : undefined,
      exchange: this.exchange,
      watch: this.#watch,
      used: (bytes, wanted) => host.used(bytes, wanted ? this : undefined),
    });
    this.exchange.request.body = this.#body;
    // Nobody reads it, and its size is nobody's concern any more.
    if (request.refused !== undefined) this.#body.break(new Error('the request is refused'));
    this.#pace = new BodyPace({ timeout: config.request_timeout, rate: config.min_request_body_rate }, started);
  }

  /** The client may still send content. */
  get requestOpen(): boolean {
    return this.#requestOpen && !this.#over;
  }

  /** We, and not the client, have kept content from arriving since this was asked last. */
  get held(): boolean {
    return this.#requestOpen && this.#body?.wasHeld() === true;
  }

  serve(): void {
    // Reset in the same breath: nobody has heard of it.
    if (this.#over && this.#refused === undefined) return;
    if (this.#refused !== undefined && this.#refused.status >= 400 && !this.#counted)
      this.#host.context.serve.counters.protocolError(this.#refused.local.details);
    serve(this.exchange, this.writer, this.#watch, this.#host.context.serve, this, this.#refused);
  }

  served(): void {
    if (this.#body === undefined) return;
    this.#body.break(new Error('the request has been answered'));
    // RFC 9113 §8.1: the answer is complete, the rest of the request is not wanted.
    if (this.#requestOpen && !this.#over) this.reset(errorCode.NO_ERROR);
  }

  #askForContent(): void {
    if (this.#requestOpen && this.#announced === 0) this.writer.continue();
  }

  /** A DATA frame has begun. Answers what is wrong with it. @param length with padding, as flow control counts */
  announce(length: number, content: number): { code: ErrorCode; details: string } | undefined {
    if (!this.#receive!.take(length)) return { code: errorCode.FLOW_CONTROL_ERROR, details: 'http2_window_exceeded' };
    this.#announced += content;
    if (this.#length !== undefined && this.#announced > this.#length) return lengthMismatch;
    return undefined;
  }

  take(piece: Buffer): void {
    if (this.#over) this.#host.used(piece.length, undefined);
    else this.#body!.take(piece);
  }

  /** The stream's part of opening windows: the increment to announce, 0 for none. */
  released(bytes: number): number {
    return this.requestOpen ? (this.#receive?.release(bytes) ?? 0) : 0;
  }

  /** The client has said all. Answers what is wrong with that. @param trailers name, value, name, value …, checked */
  finish(trailers: readonly string[]): { code: ErrorCode; details: string } | undefined {
    if (this.#length !== undefined && this.#announced !== this.#length) return lengthMismatch;
    this.#requestOpen = false;
    const { exchange } = this;
    exchange.requestDuration = this.monotonic() - exchange.started;
    this.#body!.finish(trailersFrom(trailers, this.#host.context.policy.maxHeaders));
    if (!this.#answerOpen) this.#host.ended(this);
    return undefined;
  }

  /** We have reset it for what the client sent: the log hears of it, if there is no answer yet. */
  refuse(details: string): void {
    const reply = refuse(400, details);
    this.#host.context.serve.counters.protocolError(details);
    if (this.#refused === undefined) this.#counted = true;
    this.#refused ??= reply;
    const reason = new Error(details);
    // What is answered then goes nowhere; and it is answered first, or it would be for a request that could not be sent whole.
    this.#over = true;
    this.writer.closed(reason, true);
    this.#watch.end({ kind: 'reply', reply });
    this.#body?.break(reason);
  }

  /** The client has left, or its connection is lost. */
  aborted(): void {
    const reason = new Error('the client is gone');
    this.#watch.end({ kind: 'gone', reason });
    this.over(reason);
  }

  /** It is no more; whatever is still said goes nowhere. @param refused what is answered is for the log alone */
  over(reason: Error, refused = false): void {
    if (this.#over) return;
    this.#over = true;
    this.writer.closed(reason, refused);
    this.#body?.break(reason);
  }

  /** @param held content was kept from arriving on this connection @param blocked no content can leave it, on whatever stream */
  look(now: number, held: boolean, blocked: boolean): void {
    this.#watch.look(now);
    if (this.#requestOpen && this.#pace !== undefined && !this.writer.started) {
      const fault = this.#pace.fault(now, this.exchange.bytesReceived, held);
      if (fault !== undefined) return this.#late(fault);
    }
    if (!this.writer.started) return;
    const { stream_flush_timeout: timeout, min_response_rate: rate } = this.#host.context.config;
    const { queued } = this.writer;
    if (timeout > 0 && this.#stuckFor(now, queued) >= timeout) return this.#cut('stream_flush_timeout');
    if (rate === 0 || (queued === 0 && this.#responsePace === undefined)) return;
    this.#responsePace ??= new ResponsePace(rate);
    if (this.#responsePace.tooSlow(now, this.exchange.bytesSent - queued, queued > 0 && !blocked))
      this.#cut('response_too_slow');
  }

  /** The client does not read, or too slowly. */
  #cut(details: string): void {
    this.#watch.end({ kind: 'reply', reply: refuse(408, details, 'SI') });
  }

  /** The whole connection is not read. */
  unread(details: string): void {
    if (this.writer.started) this.#cut(details);
  }

  #late(details: string): void {
    const reply = refuse(408, details);
    this.#host.context.serve.counters.protocolError(details);
    // First, or the answer would be that to a request which could not be sent whole.
    this.#watch.end({ kind: 'reply', reply });
    this.#body?.break(new Error(details));
  }

  #stuckFor(now: number, pending: number): number {
    if (pending === 0) this.#pendingSince = undefined;
    else if (this.#pendingSince === undefined || pending < this.#pending) this.#pendingSince = now;
    this.#pending = pending;
    return this.#pendingSince === undefined ? 0 : now - this.#pendingSince;
  }

  // What the writer asks for.

  get earlyHints(): boolean {
    return this.#host.context.config.early_hints;
  }

  flushSoon(): void {
    this.#host.flushSoon();
  }

  answered(): void {
    this.#answerOpen = false;
    if (!this.#requestOpen) this.#host.ended(this);
  }

  reset(code: ErrorCode): void {
    this.#host.reset(this, code);
  }

  date(): string {
    return this.#host.context.date();
  }

  monotonic(): number {
    return this.#host.context.serve.clock.monotonic();
  }
}

const lengthMismatch = { code: errorCode.PROTOCOL_ERROR, details: 'content_length_mismatch' } as const;
