import type { Socket } from 'node:net';
import { announcedTrailers, Headers, type BodySink } from '../http/index.ts';
import {
  ChunkedDecoder,
  HeadReader,
  asLatin1,
  oneWrite,
  isWireFault,
  parseResponseHead,
  renderFields,
  responseFraming,
  type ResponseFraming,
  type ResponseHead,
  type WireFault,
} from '../http1/index.ts';
import { readDirectly } from '../socket/read-directly.ts';
import { belowAnnounced } from './idle-limit.ts';
import {
  isConnectionsOwn,
  type UpstreamAnswer,
  type UpstreamConnection,
  type UpstreamRequest,
} from './upstream-connection.ts';
import type { ExchangeFailure } from './upstream-socket.ts';

export interface Http1ConnectionOptions {
  /** Milliseconds an unused connection is kept; the app may ask for less. 0 is no limit. */
  readonly idleTimeout: number;
  /** Bytes of a response's header section. */
  readonly maxResponseHeaders: number;
  /** Told when the app says how long it keeps an unused connection, in milliseconds. */
  announced?(milliseconds: number): void;
}

/** Header lines of one response; a proxy in between may add to what the app was allowed to send. */
const maxResponseFields = 1000;
/** Interim responses to one request (RFC 9110 §15.2 sets no bound; an app that sends more is broken). */
const maxInterim = 1000;
const nothing = Buffer.alloc(0);

/** Methods for which an app expects to be told that there is no content (RFC 9110 §8.6). */
const anticipatesContent = new Set(['POST', 'PUT', 'PATCH']);

/**
 * One connection on which Portico itself speaks HTTP/1.1 (RFC 9112): one write for a request, strict about the answer.
 * It is used again only when both messages were whole and nothing came behind.
 */
export class Http1Connection implements UpstreamConnection, ExchangingHost {
  readonly #socket: Socket;
  readonly #options: Http1ConnectionOptions;
  readonly #reader: HeadReader;
  #requests = 0;
  #exchange: Exchanging | undefined;
  #usable = true;
  #socketError: Error | undefined;
  #idleTimeout: number;
  #idleTimer: NodeJS.Timeout | undefined;

  constructor(socket: Socket, options: Http1ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#reader = new HeadReader(options.maxResponseHeaders);
    this.#idleTimeout = options.idleTimeout;
    socket.on('error', (error: Error) => (this.#socketError ??= error));
    readDirectly(socket, (chunk) => this.#read(chunk));
    socket.on('drain', () => this.#exchange?.writable());
    socket.on('end', () => this.#ended());
    socket.on('close', () => this.#ended());
  }

  get requests(): number {
    return this.#requests;
  }

  get usable(): boolean {
    return this.#usable && this.#exchange === undefined && !this.#socket.destroyed && this.#socket.writable;
  }

  send(request: UpstreamRequest, answer: UpstreamAnswer): void {
    this.#requests++;
    if (request.last) this.#usable = false;
    if (this.#socket.destroyed || !this.#socket.writable) {
      const cause = this.#socketError ?? new Error('the connection was closed before the request was written');
      return answer.fail({ kind: 'reset', cause }, true);
    }
    const exchange = new Exchanging(this.#socket, this.#reader, request, answer, this);
    this.#exchange = exchange;
    exchange.start();
  }

  resume(): void {
    this.#socket.resume();
  }

  destroy(): void {
    this.#usable = false;
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.silence();
    clearTimeout(this.#idleTimer);
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    if (this.#exchange !== undefined) this.#exchange.read(chunk);
    // Nobody asked: whoever got these bytes as an answer would get somebody else's (response queue poisoning).
    else this.destroy();
  }

  settled(reusable: boolean, keepAliveSeconds: number | undefined): void {
    this.#exchange = undefined;
    if (!reusable) this.#usable = false;
    if (!this.#usable) {
      this.#socket.destroy();
      return;
    }
    if (keepAliveSeconds !== undefined) this.#honour(keepAliveSeconds);
    this.#socket.resume();
    this.#armIdleTimer();
  }

  /** The app says how long it keeps an unused connection (`Keep-Alive: timeout=5`). */
  #honour(seconds: number): void {
    this.#options.announced?.(seconds * 1000);
    const allowed = Math.max(1, belowAnnounced(seconds * 1000));
    const own = this.#options.idleTimeout === 0 ? Infinity : this.#options.idleTimeout;
    const timeout = Math.min(own, allowed);
    if (timeout === this.#idleTimeout) return;
    this.#idleTimeout = timeout;
    clearTimeout(this.#idleTimer);
    this.#idleTimer = undefined;
  }

  #armIdleTimer(): void {
    if (this.#idleTimeout === 0 || this.#idleTimeout === Infinity) return;
    if (this.#idleTimer !== undefined) {
      this.#idleTimer.refresh();
      return;
    }
    // One timer for the connection's life; it is not stopped while a request is under way, only ignored.
    this.#idleTimer = setTimeout(() => {
      if (this.#exchange === undefined) this.destroy();
      else this.#idleTimer = undefined;
    }, this.#idleTimeout).unref();
  }

  #ended(): void {
    this.#usable = false;
    clearTimeout(this.#idleTimer);
    const exchange = this.#exchange;
    if (exchange === undefined) this.#socket.destroy();
    else exchange.ended(this.#socketError);
  }
}

interface ExchangingHost {
  /** @param keepAliveSeconds for which the app keeps an unused connection, if it says so */
  settled(reusable: boolean, keepAliveSeconds: number | undefined): void;
}

/** One request and what comes back for it. */
class Exchanging implements BodySink {
  readonly #socket: Socket;
  readonly #request: UpstreamRequest;
  readonly #host: ExchangingHost;
  readonly #reader: HeadReader;
  /** Undefined when nothing more is to be told. */
  #answer: UpstreamAnswer | undefined;
  /** The request's content is not yet all written. */
  #sending = false;
  #untouched = true;
  #sent = 0;
  #interim = 0;
  #head: ResponseHead | undefined;
  #framing: ResponseFraming = { kind: 'none' };
  #left = 0;
  #decoder: ChunkedDecoder | undefined;

  constructor(
    socket: Socket,
    reader: HeadReader,
    request: UpstreamRequest,
    answer: UpstreamAnswer,
    host: ExchangingHost,
  ) {
    this.#socket = socket;
    this.#request = request;
    this.#answer = answer;
    this.#host = host;
    this.#reader = reader;
  }

  start(): void {
    const { body } = this.#request;
    const whole = body.whole;
    const length = whole?.byteLength ?? body.length;
    const head = renderRequestHead(this.#request, length);
    const socket = this.#socket;
    this.#untouched = false;
    if (whole !== undefined) {
      if (whole.byteLength === 0) socket.write(head, 'latin1');
      else if (whole.byteLength <= oneWrite) socket.write(head + asLatin1(whole), 'latin1');
      else {
        socket.cork();
        socket.write(head, 'latin1');
        socket.write(whole);
        socket.uncork();
      }
      this.#answer?.sent();
      return;
    }
    this.#sending = true;
    socket.cork();
    socket.write(head, 'latin1');
    body.pipe(this);
    socket.uncork();
  }

  // The request's content on its way to the app.

  data(chunk: Uint8Array): boolean {
    if (!this.#sending) return true;
    this.#sent += chunk.byteLength;
    this.#answer?.sent();
    if (this.#request.body.length !== undefined) return this.#socket.write(chunk);
    this.#socket.cork();
    this.#socket.write(`${chunk.byteLength.toString(16)}\r\n`, 'latin1');
    this.#socket.write(chunk);
    const more = this.#socket.write('\r\n', 'latin1');
    this.#socket.uncork();
    return more;
  }

  end(trailers: Headers | undefined): void {
    if (!this.#sending) return;
    const { length } = this.#request.body;
    if (length !== undefined && length !== this.#sent) {
      this.error(new Error(`the request body has ${this.#sent} bytes instead of ${length}`));
      return;
    }
    this.#sending = false;
    if (length === undefined) this.#socket.write(renderLastChunk(trailers), 'latin1');
  }

  /** The app must never take what it got for the whole: the connection breaks where the content broke off. */
  error(error: Error): void {
    if (!this.#sending) return;
    this.#sending = false;
    this.#fail({ kind: 'request_body', cause: error });
  }

  writable(): void {
    if (this.#sending) this.#request.body.resume();
  }

  // The answer.

  read(chunk: Buffer): void {
    const answer = this.#answer;
    this.#readMessage(chunk);
    answer?.told();
  }

  #readMessage(chunk: Buffer): void {
    let bytes = chunk;
    while (this.#head === undefined) {
      // What is no HTTP at all will have no end to wait for.
      if (!this.#reader.begun && bytes.length >= 7 && bytes.toString('latin1', 0, 7) !== 'HTTP/1.') {
        return this.#malformed({ fault: true, status: 502, details: 'status_line_invalid' });
      }
      const read = this.#reader.read(bytes);
      if (read === undefined) return;
      if (isWireFault(read)) return this.#malformed(read);
      const head = parseResponseHead(read.text, maxResponseFields);
      if (isWireFault(head)) return this.#malformed(head);
      bytes = read.rest;
      if (head.status === 101) return this.#malformed({ fault: true, status: 502, details: 'unexpected_upgrade' });
      if (head.status >= 200) this.#begin(head);
      else {
        if (++this.#interim > maxInterim)
          return this.#malformed({ fault: true, status: 502, details: 'too_many_interim_responses' });
        // 100 answers an expectation, and Portico sends none of its own (RFC 9110 §10.1.1).
        if (head.status !== 100) this.#answer?.inform(head.status, Headers.parsed(head.fields.flat));
        if (bytes.length === 0) return;
      }
      if (this.#answer === undefined) return;
    }
    this.#readContent(bytes);
  }

  #begin(head: ResponseHead): void {
    this.#head = head;
    this.#framing = responseFraming(head, this.#request.method);
    if (this.#framing.kind === 'length') this.#left = this.#framing.length;
    else if (this.#framing.kind === 'chunked') this.#decoder = new ChunkedDecoder();
    const { flat, contentLength, trailer } = head.fields;
    // An answer to HEAD, and 304, may say how long another answer would be (RFC 9110 §8.6).
    const announces = this.#request.method === 'HEAD' || head.status === 304;
    if (announces && contentLength !== undefined) flat.push('content-length', String(contentLength));
    const announced = trailer !== undefined && this.#decoder !== undefined ? announcedTrailers(trailer) : undefined;
    this.#answer?.head(head.status, Headers.parsed(flat), lengthOf(this.#framing), announced);
  }

  #readContent(bytes: Buffer): void {
    const answer = this.#answer;
    if (answer === undefined) return;
    switch (this.#framing.kind) {
      case 'none':
        return this.#complete(undefined, bytes);
      case 'close':
        if (bytes.length > 0 && !answer.data(bytes)) this.#socket.pause();
        return;
      case 'length': {
        const mine = bytes.length <= this.#left ? bytes : bytes.subarray(0, this.#left);
        this.#left -= mine.length;
        if (mine.length > 0 && !answer.data(mine) && this.#left > 0) this.#socket.pause();
        if (this.#left === 0) this.#complete(undefined, mine === bytes ? nothing : bytes.subarray(mine.length));
        return;
      }
      case 'chunked': {
        let ended: { trailers: Headers | undefined; rest: Buffer } | undefined;
        const fault = this.#decoder!.write(bytes, {
          data: (chunk) => {
            if (this.#answer !== undefined && !this.#answer.data(chunk)) this.#socket.pause();
          },
          end: (trailers, rest) => (ended = { trailers, rest }),
        });
        if (fault !== undefined) this.#malformed(fault);
        else if (ended !== undefined) this.#complete(ended.trailers, ended.rest);
      }
    }
  }

  #complete(trailers: Headers | undefined, rest: Buffer): void {
    const answer = this.#answer;
    if (answer === undefined) return;
    this.#answer = undefined;
    const head = this.#head!;
    const { connection, keepAlive } = head.fields;
    const persistent =
      head.minor === 1 ? connection?.includes('close') !== true : connection?.includes('keep-alive') === true;
    // An answer that came before the request was whole: what is left of the request has nowhere to go.
    const early = this.#sending;
    this.#stopSending();
    const reusable =
      persistent &&
      !early &&
      rest.length === 0 &&
      this.#framing.kind !== 'close' &&
      !bodyless(head, this.#request.method);
    this.#host.settled(reusable, keepAliveTimeout(keepAlive));
    answer.end(trailers);
  }

  /** The socket has ended. */
  ended(error: Error | undefined): void {
    if (this.#head !== undefined && this.#framing.kind === 'close' && error === undefined)
      return this.#complete(undefined, Buffer.alloc(0));
    this.#fail({ kind: 'reset', cause: error ?? new Error('the app closed the connection') });
  }

  #malformed(fault: WireFault): void {
    this.#fail({ kind: 'protocol', reason: fault.details, cause: new Error(fault.details) });
  }

  #fail(failure: ExchangeFailure): void {
    const answer = this.#answer;
    if (answer === undefined) return;
    this.#answer = undefined;
    this.#stopSending();
    this.#host.settled(false, undefined);
    answer.fail(failure, this.#untouched);
  }

  /** Nobody listens any more. */
  silence(): void {
    this.#answer = undefined;
    this.#stopSending();
  }

  #stopSending(): void {
    if (!this.#sending) return;
    this.#sending = false;
    this.#request.body.cancel(new Error('the app answered before the request was complete'));
  }
}

/** Some apps send content where none may be (RFC 9110 §6.4.1); their next bytes could be anything. */
function bodyless(head: ResponseHead, method: string): boolean {
  return method !== 'HEAD' && head.status === 204 && (head.fields.chunked || (head.fields.contentLength ?? 0) > 0);
}

/** Seconds of `timeout=N`, if the field says so. */
function keepAliveTimeout(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const match = /(?:^|[,\s])timeout\s*=\s*"?(\d{1,9})/i.exec(value);
  return match === null ? undefined : Number(match[1]);
}

function lengthOf(framing: ResponseFraming): number | undefined {
  if (framing.kind === 'none') return 0;
  return framing.kind === 'length' ? framing.length : undefined;
}

function renderRequestHead(request: UpstreamRequest, length: number | undefined): string {
  const { fields } = request;
  let text = `${request.method} ${request.path} HTTP/1.1\r\nhost: ${request.authority}\r\n`;
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at]!;
    if (!isConnectionsOwn(name)) text += `${name}: ${fields[at + 1]!}\r\n`;
  }
  if (length === undefined) {
    text += 'transfer-encoding: chunked\r\n';
    const { announced } = request.body;
    if (announced !== undefined) text += `trailer: ${announced}\r\n`;
  } else if (length > 0 || anticipatesContent.has(request.method)) text += `content-length: ${length}\r\n`;
  return request.last ? `${text}connection: close\r\n\r\n` : `${text}\r\n`;
}

function renderLastChunk(trailers: Headers | undefined): string {
  let text = '0\r\n';
  if (trailers !== undefined) text += renderFields(trailers.flat);
  return `${text}\r\n`;
}
