import { type Body, type BodySink, type Exchange, type Headers, type Response } from '../../http/index.ts';
import { errorCode, type ErrorCode, type FrameWriter } from '../../http2/index.ts';
import type { ResponseWriter } from '../response-writer.ts';
import type { Watch } from '../watch.ts';
import type { Outbound, Sender } from './outbound.ts';
import { declaredLength, writeHead, writeInterim, writeTrailers } from './response-block.ts';

/** What a writer asks of its stream. */
export interface WriterHost {
  readonly id: number;
  readonly outbound: Outbound;
  /** 103 is passed on. */
  readonly earlyHints: boolean;
  /** What has been written leaves soon. */
  flushSoon(): void;
  /** The last byte of the answer has been handed to the connection. */
  answered(): void;
  reset(code: ErrorCode): void;
  /** Value of the date field (RFC 9110 §6.6.1). */
  date(): string;
  monotonic(): number;
}

/** Bytes of one answer that wait here for the client; then its producer is asked to pause. */
const mostQueued = 32 * 1024;

/** Fewer bytes are no sign of life: a window that opens byte by byte would keep an exchange for ever. */
const leastMoved = 1024;

/** Writes one response onto an HTTP/2 stream: the head at once, content when its turn comes. */
export class Http2Writer implements ResponseWriter, BodySink, Sender {
  /** Bytes that the client lets us send on this stream; may be negative (RFC 9113 §6.9.2). */
  window: number;
  inRound = false;
  readonly #host: WriterHost;
  readonly #exchange: Exchange;
  readonly #watch: Watch;
  /** `closed`: the stream is no more, and whatever is sent counts as an answer that nobody reads. */
  #state: 'waiting' | 'writing' | 'ending' | 'done' | 'closed' = 'waiting';
  #refused = false;
  #length: number | undefined;
  #body: Body | undefined;
  #trailers: Headers | undefined;
  #queue: Uint8Array[] = [];
  /** Bytes of the first of the queue that have left. */
  #offset = 0;
  #queued = 0;
  /** Bytes that have left since the watch was told. */
  #moved = 0;
  #paused = false;
  #settle: (failure: Error | undefined) => void = ignore;

  constructor(host: WriterHost, exchange: Exchange, watch: Watch) {
    this.#host = host;
    this.#exchange = exchange;
    this.#watch = watch;
    this.window = host.outbound.initialWindow;
  }

  get started(): boolean {
    return this.#state !== 'waiting';
  }

  get queued(): number {
    return this.#queued;
  }

  get unsent(): boolean {
    return this.#queued > 0 || this.#state === 'ending';
  }

  inform(status: number, headers: Headers): void {
    if (this.started || status <= 101 || status > 199) return;
    if (status === 103 && !this.#host.earlyHints) return;
    this.#watch.touch();
    this.#interim(status, headers);
  }

  /** Tells a client that waits for it to send its body. */
  continue(): void {
    if (!this.started) this.#interim(100, undefined);
  }

  send(response: Response): Promise<Error | undefined> | undefined {
    if (this.#state === 'closed' || this.#state === 'done') {
      response.body.cancel(new Error('the stream is closed'));
      return this.#refused ? undefined : Promise.resolve(new Error('the stream is closed'));
    }
    const exchange = this.#exchange;
    const { outbound } = this.#host;
    const { status, body } = response;
    // The method as received: a filter may have changed the request's.
    const hasContent = exchange.originalMethod !== 'HEAD' && status !== 204 && status !== 205 && status !== 304;
    const whole = hasContent ? body.whole : undefined;
    const length = whole?.byteLength ?? body.length;
    const empty = !hasContent || whole?.byteLength === 0;
    const framing = hasContent ? length?.toString() : declaredLength(response);
    const announced = hasContent && length === undefined ? body.announced : undefined;
    writeHead(outbound, { stream: this.#host.id, endStream: empty }, response, framing, this.#host.date(), announced);
    exchange.responseDuration = this.#host.monotonic() - exchange.started;
    this.#watch.touch();
    this.#host.flushSoon();
    if (empty) {
      if (!hasContent) body.cancel(new Error('the answer has no content'));
      return this.#finished();
    }
    if (whole !== undefined) {
      exchange.bytesSent = whole.byteLength;
      if (outbound.tryWhole(this.#host.id, this, whole)) return this.#finished();
    }
    this.#length = length;
    return new Promise((resolve) => {
      this.#settle = resolve;
      if (whole !== undefined) {
        this.#state = 'ending';
        this.#enqueue(whole);
        return;
      }
      this.#state = 'writing';
      this.#body = body;
      body.pipe(this);
    });
  }

  data(chunk: Uint8Array): boolean {
    if (this.#state !== 'writing') return false;
    this.#watch.touch();
    const exchange = this.#exchange;
    exchange.bytesSent += chunk.byteLength;
    if (this.#length !== undefined && exchange.bytesSent > this.#length) {
      this.abort(new Error('the content is longer than announced'));
      return false;
    }
    if (chunk.byteLength > 0) this.#enqueue(chunk);
    this.#paused = this.#queued >= mostQueued;
    return !this.#paused;
  }

  end(trailers: Headers | undefined): void {
    if (this.#state !== 'writing') return;
    if (this.#length !== undefined && this.#exchange.bytesSent < this.#length)
      return this.abort(new Error('the content is shorter than announced'));
    this.#state = 'ending';
    this.#trailers = trailers;
    this.#host.outbound.enter(this);
    this.#host.flushSoon();
  }

  error(error: Error): void {
    this.abort(error);
  }

  abort(reason: Error): void {
    if (this.#state === 'done' || this.#state === 'closed') return;
    this.closed(reason);
    this.#host.reset(errorCode.INTERNAL_ERROR);
  }

  /** The stream is no more, by a reset or with its connection. @param refused its answer is for the log alone */
  closed(reason: Error, refused = false): void {
    if (this.#state === 'done' || this.#state === 'closed') return;
    this.#state = 'closed';
    this.#refused = refused;
    this.#drop();
    this.#body?.cancel(reason);
    this.#settle(reason);
  }

  emit(to: FrameWriter, most: number): number {
    const chunk = this.#queue[0];
    const stream = this.#host.id;
    if (chunk === undefined) {
      this.#emitEnd(to);
      return 0;
    }
    const start = this.#offset;
    const bytes = Math.min(most, chunk.byteLength - start);
    this.#queued -= bytes;
    this.#moved += bytes;
    const last = this.#queued === 0 && this.#state === 'ending';
    const withEnd = last && this.#trailers === undefined;
    to.data(stream, chunk, start, start + bytes, withEnd);
    if (start + bytes === chunk.byteLength) {
      this.#queue.shift();
      this.#offset = 0;
    } else {
      this.#offset = start + bytes;
    }
    if (withEnd) this.#state = 'done';
    else if (last) this.#emitEnd(to);
    return bytes;
  }

  moved(): void {
    if (this.#state === 'closed') return;
    if (this.#queued === 0 || this.#moved >= leastMoved) {
      this.#moved = 0;
      this.#watch.touch();
    }
    if (this.#state === 'done') {
      this.#settle(undefined);
      this.#host.answered();
    } else if (this.#paused && this.#queued < mostQueued) {
      this.#paused = false;
      this.#body?.resume();
    }
  }

  #enqueue(chunk: Uint8Array): void {
    this.#queue.push(chunk);
    this.#queued += chunk.byteLength;
    this.#host.outbound.enter(this);
    this.#host.flushSoon();
  }

  /** The content has left, and its end has not. */
  #emitEnd(to: FrameWriter): void {
    if (this.#state !== 'ending') return;
    this.#state = 'done';
    const { id, outbound } = this.#host;
    const trailers = this.#trailers;
    if (trailers === undefined) return to.data(id, nothing, 0, 0, true);
    writeTrailers(outbound, id, trailers);
  }

  #finished(): undefined {
    this.#state = 'done';
    this.#host.answered();
  }

  #drop(): void {
    this.#queue = [];
    this.#queued = 0;
    this.#host.outbound.leave(this);
  }

  #interim(status: number, headers: Headers | undefined): void {
    writeInterim(this.#host.outbound, this.#host.id, status, headers);
    this.#host.flushSoon();
  }
}

function ignore(): void {}

const nothing = new Uint8Array(0);
