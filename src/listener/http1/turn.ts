import type { Socket } from 'node:net';
import {
  announcedTrailers,
  BodyStream,
  Exchange,
  Headers,
  noBody,
  type Body,
  type BodySink,
  type Downstream,
  type LocalReply,
  type Request,
} from '../../http/index.ts';
import { ChunkedDecoder, type RequestHead, type WireFault } from '../../http1/index.ts';
import { refuse } from '../admit.ts';
import { serve, type Served } from '../serve.ts';
import { Watch } from '../watch.ts';
import type { WireContext } from './codec.ts';
import { readTarget, type ReadRequest } from './read-request.ts';
import { Http1Writer, type WriterHost } from './writer.ts';

/** What a turn asks of its connection. */
export interface TurnHost {
  finished(keepAlive: boolean): void;
  awaitRequest(milliseconds: number): void;
  arrived(): void;
  leaveHttp(): void;
  lingerAfterAnswer(): void;
}

type Content =
  | { readonly kind: 'done' }
  | { readonly kind: 'length'; left: number; readonly stream: BodyStream }
  | { readonly kind: 'chunked'; readonly decoder: ChunkedDecoder; readonly stream: BodyStream };

/** Milliseconds over which the rate of arriving content is averaged; also the time before it counts. */
const rateWindow = 5000;
/** Unread content up to this size is read past, for at most so many milliseconds; for more the connection ends. */
const mostDiscarded = 64 * 1024;
const discardTime = 5000;

const done: Content = { kind: 'done' };

/** One exchange on a connection: its request's content as it arrives, its answer as it leaves. */
export class Turn implements Served, WriterHost {
  readonly #socket: Socket;
  readonly #context: WireContext;
  readonly #head: RequestHead | undefined;
  readonly #host: TurnHost;
  readonly #watch = new Watch();
  readonly #exchange: Exchange;
  readonly #writer: Http1Writer;
  readonly #refused: LocalReply | undefined;
  #content: Content = done;
  /** The client waits for 100 before it sends its content (RFC 9110 §10.1.1). */
  #expecting = false;
  /** Bytes of content that are still read past, so that the connection can go on after the answer. */
  #discarding = 0;
  /** The request's content can no longer be read to its end. */
  #broken = false;
  #tunnelOffered = false;
  /** On the context's clock: when the whole request must be here. */
  #due = Infinity;
  /** Bytes of content that had arrived when the present window of time began. */
  #windowBegan = 0;
  /** In the present window it was not only up to the client how much arrived. */
  #held = false;

  /**
   * @param head undefined for bytes that are no request
   * @param behind what has arrived behind the head; a tunnel takes it along
   */
  constructor(
    socket: Socket,
    downstream: Downstream,
    context: WireContext,
    head: RequestHead | undefined,
    behind: Buffer,
    host: TurnHost,
  ) {
    this.#socket = socket;
    this.#context = context;
    this.#head = head;
    this.#host = host;
    const { clock } = context.serve;
    const read = head === undefined ? undefined : readTarget(head, downstream, context.policy);
    this.#refused = read?.refused;
    const request = this.#request(head, downstream, read, behind);
    this.#exchange = new Exchange(
      downstream,
      head?.minor === 0 ? 'HTTP/1.0' : 'HTTP/1.1',
      request,
      read?.clientAddress ?? downstream.remoteAddress,
      { time: clock.now(), monotonic: clock.monotonic() },
    );
    if (this.#content === done) this.#exchange.requestDuration = 0;
    this.#writer = new Http1Writer(socket, this.#exchange, this.#watch, this);
  }

  get http11(): boolean {
    return this.#head?.minor !== 0;
  }

  get earlyHints(): boolean {
    return this.#context.config.early_hints;
  }

  date(): string {
    return this.#context.date();
  }

  elapsed(): number {
    return this.#context.serve.clock.monotonic() - this.#exchange.started;
  }

  /** @param refused the answer to what is no request */
  begin(refused: LocalReply | undefined = this.#refused): void {
    if (refused !== undefined && refused.status >= 400)
      this.#context.serve.counters.protocolError(refused.local.details);
    serve(this.#exchange, this.#writer, this.#watch, this.#context.serve, this, refused);
  }

  /** The exchange is over; the connection may go on. */
  served(): void {
    if (this.#tunnelOffered) {
      if (this.#exchange.response?.tunnel === undefined) this.#host.lingerAfterAnswer();
      return;
    }
    const content = this.#content;
    this.#content = done;
    if (content.kind !== 'done') content.stream.fail(new Error('the request has been answered'));
    if (!this.#writer.complete) this.#socket.destroy();
    const keepAlive = this.#writer.keptAlive && !this.#broken && content.kind !== 'chunked';
    if (keepAlive && content.kind === 'length') {
      this.#discarding = content.left;
      this.#host.awaitRequest(discardTime);
      this.#socket.resume();
    } else {
      this.#host.finished(keepAlive);
    }
  }

  #request(
    head: RequestHead | undefined,
    downstream: Downstream,
    read: ReadRequest | undefined,
    behind: Buffer,
  ): Request {
    const scheme = downstream.tls === undefined ? 'http' : 'https';
    if (head === undefined || read === undefined) {
      return { method: '', scheme, authority: '', path: '', headers: new Headers(), body: noBody, upgrade: undefined };
    }
    const body = this.#open(head);
    const request: Request = {
      method: head.method,
      scheme,
      authority: read.authority,
      path: read.path,
      headers: read.headers,
      body,
      upgrade: undefined,
    };
    const protocol = read.refused === undefined && body === noBody ? upgradeProtocol(head) : undefined;
    if (protocol === undefined || !this.#context.serve.routes().match(request).upgrades.has(protocol)) return request;
    this.#tunnelOffered = true;
    this.#host.leaveHttp();
    return { ...request, upgrade: { protocol, socket: this.#socket, head: behind } };
  }

  #open(head: RequestHead): Body {
    const { chunked, contentLength, expect, trailer } = head.fields;
    if (!chunked && (contentLength === undefined || contentLength === 0)) return noBody;
    const source = {
      resume: () => this.#socket.resume(),
      // Nobody wants the rest; it is read past, so that the client can read the answer.
      cancel: () => this.#socket.resume(),
    };
    const announced = chunked && trailer !== undefined ? announcedTrailers(trailer) : undefined;
    const stream = new BodyStream(contentLength, source, announced);
    this.#content = chunked
      ? { kind: 'chunked', decoder: new ChunkedDecoder(), stream }
      : { kind: 'length', left: contentLength!, stream };
    const { request_timeout: timeout } = this.#context.config;
    if (timeout > 0) this.#due = this.#context.now() + timeout;
    this.#awaitContent();
    if (expect === undefined || head.minor === 0) return stream;
    this.#expecting = true;
    this.#held = true;
    return new AwaitedBody(stream, () => this.#askForContent());
  }

  /** Until the next look at how much has arrived. */
  #awaitContent(): void {
    const left = this.#due - this.#context.now();
    const most = this.#context.config.min_request_body_rate > 0 ? rateWindow : Infinity;
    const next = Math.min(left, most);
    this.#host.awaitRequest(next === Infinity ? 0 : next);
  }

  /** Whether the client alone is to blame that less than the least rate has arrived in the window that ends now. */
  #isTooSlow(): boolean {
    const { bytesReceived } = this.#exchange;
    const arrived = bytesReceived - this.#windowBegan;
    const held = this.#held;
    this.#windowBegan = bytesReceived;
    this.#held = this.#expecting || this.#socket.isPaused();
    return !held && arrived < (this.#context.config.min_request_body_rate * rateWindow) / 1000;
  }

  #askForContent(): void {
    if (!this.#expecting) return;
    this.#expecting = false;
    this.#writer.continue();
  }

  /** Takes what belongs to the request's content; answers the bytes behind it, undefined while it is not complete. */
  read(bytes: Buffer): Buffer | undefined {
    if (this.#discarding > 0) return this.#discard(bytes);
    const content = this.#content;
    if (content.kind === 'done') return this.#broken || this.#tunnelOffered ? undefined : bytes;
    if (bytes.length === 0) return undefined;
    this.#expecting = false;
    if (content.kind === 'length') {
      const mine = bytes.length <= content.left ? bytes : bytes.subarray(0, content.left);
      content.left -= mine.length;
      this.#take(mine, content.stream);
      if (content.left > 0 || this.#broken) return undefined;
      this.#arrived();
      content.stream.end();
      return bytes.subarray(mine.length);
    }
    let behind: Buffer | undefined;
    const fault = content.decoder.write(bytes, {
      data: (chunk) => this.#take(chunk, content.stream),
      end: (trailers, rest) => {
        behind = rest;
        this.#arrived();
        content.stream.end(trailers);
      },
    });
    if (fault !== undefined) this.#fail(fault);
    return behind;
  }

  #discard(bytes: Buffer): Buffer | undefined {
    const mine = Math.min(bytes.length, this.#discarding);
    this.#discarding -= mine;
    if (this.#discarding > 0) return undefined;
    this.#host.finished(true);
    return bytes.subarray(mine);
  }

  #take(chunk: Buffer, stream: BodyStream): void {
    if (chunk.length === 0 || this.#broken) return;
    this.#exchange.bytesReceived += chunk.length;
    this.#watch.touch();
    const { maxBody } = this.#context.policy;
    if (maxBody > 0 && this.#exchange.bytesReceived > maxBody) {
      this.#fail({ fault: true, status: 413, details: 'body_too_large' });
    } else if (!stream.push(chunk)) {
      this.#held = true;
      this.#socket.pause();
    }
  }

  #arrived(): void {
    this.#content = done;
    // Whoever takes the content may be behind and has asked for silence; nobody but us can say that it is over.
    if (this.#socket.isPaused()) this.#socket.resume();
    this.#host.arrived();
    this.#exchange.requestDuration = this.#context.serve.clock.monotonic() - this.#exchange.started;
  }

  /** Content that lies or breaks off: the app must never see it end, and this connection cannot go on. */
  #fail(fault: WireFault): void {
    const content = this.#content;
    if (content.kind === 'done' || this.#broken) return;
    this.#broken = true;
    this.#content = done;
    this.#host.arrived();
    const reply = refuse(fault.status, fault.details);
    this.#context.serve.counters.protocolError(fault.details);
    // First, or the answer would be that to a request which could not be sent whole.
    this.#watch.end({ kind: 'reply', reply });
    content.stream.fail(new Error(fault.details));
  }

  /** The request takes too long to arrive; nobody's concern any more once it is being answered. */
  late(): void {
    if (this.#discarding > 0) this.#socket.destroy();
    else if (this.#writer.started) return;
    else if (this.#context.now() >= this.#due) this.#fail({ fault: true, status: 408, details: 'request_timeout' });
    else if (this.#isTooSlow()) this.#fail({ fault: true, status: 408, details: 'request_body_too_slow' });
    else this.#awaitContent();
  }

  /** The client does not read the answer, or too slowly. */
  unread(details: string): void {
    this.#watch.end({ kind: 'reply', reply: refuse(408, details, 'SI') });
  }

  /** @param now on the context's clock */
  look(now: number): void {
    this.#watch.look(now);
  }

  writable(): void {
    this.#writer.writable();
  }

  /** The client has left. */
  gone(): void {
    const reason = new Error('the client is gone');
    const content = this.#content;
    this.#content = done;
    this.#broken = true;
    this.#watch.end({ kind: 'gone', reason });
    if (content.kind !== 'done') content.stream.fail(reason);
  }

  /** The rest of the content is short and on its way: reading past it is cheaper than a new connection. */
  #isSmallRest(): boolean {
    return this.#content.kind === 'length' && this.#content.left <= mostDiscarded && !this.#expecting;
  }

  /** Whether the connection can go on after this answer; asked when its head is written. */
  mayKeepAlive(): boolean {
    const head = this.#head;
    return (
      head !== undefined &&
      head.minor === 1 &&
      (this.#content === done || this.#isSmallRest()) &&
      !this.#broken &&
      !this.#tunnelOffered &&
      this.#refused === undefined &&
      !this.#context.draining() &&
      head.fields.connection?.includes('close') !== true
    );
  }
}

/** What the client would like to speak instead; one protocol, asked for as RFC 9110 §7.8 wants it. */
function upgradeProtocol({ method, minor, fields }: RequestHead): string | undefined {
  if (
    fields.upgrade === undefined ||
    minor === 0 ||
    method !== 'GET' ||
    fields.connection?.includes('upgrade') !== true
  )
    return undefined;
  const protocol = fields.upgrade.toLowerCase();
  return /^[\w!#$%&'*+.^`|~-]+(?:\/[\w.-]+)?$/.test(protocol) ? protocol : undefined;
}

/** Content whose sender waits to be asked for it: reading is asking. */
class AwaitedBody implements Body {
  readonly #inner: BodyStream;
  readonly #wanted: () => void;

  constructor(inner: BodyStream, wanted: () => void) {
    this.#inner = inner;
    this.#wanted = wanted;
  }

  get length(): number | undefined {
    return this.#inner.length;
  }

  get whole(): Uint8Array | undefined {
    return this.#inner.whole;
  }

  get announced(): string | undefined {
    return this.#inner.announced;
  }

  pipe(sink: BodySink): void {
    this.#wanted();
    this.#inner.pipe(sink);
  }

  resume(): void {
    this.#inner.resume();
  }

  cancel(reason: Error): void {
    this.#inner.cancel(reason);
  }
}
