import { STATUS_CODES, type ServerResponse } from 'node:http';
import { isLocalReply, type Body, type Exchange, type Headers, type Response } from '../../../src/http/index.ts';
import type { ResponseWriter } from '../../../src/listener/response-writer.ts';
import type { Watch } from '../../../src/listener/watch.ts';

export interface Http1WriterOptions {
  readonly exchange: Exchange;
  readonly watch: Watch;
  /** Asked once, when the first byte is to be written. */
  readonly response: () => ServerResponse;
  /** The method as received: a filter may have changed the exchange's. */
  readonly method: string;
  /** Whether the connection ends with this answer; asked when the head is written. */
  readonly isLast: () => boolean;
  /** Ends the connection at once, so that the client sees a broken message. */
  readonly breakConnection: (how: 'close' | 'reset') => void;
  readonly elapsed: () => number;
}

/** Writes one response onto a `node:http` response, which does the pipelining, the chunks and the Date. */
export class Http1Writer implements ResponseWriter {
  readonly #options: Http1WriterOptions;
  #state: 'waiting' | 'writing' | 'done' = 'waiting';
  #body: Body | undefined;
  #settle: (failure: Error | undefined) => void = () => {};
  /** Without length and chunks the end of the connection ends the message, so an early end must look like an accident. */
  #endsWithConnection = false;

  constructor(options: Http1WriterOptions) {
    this.#options = options;
  }

  get started(): boolean {
    return this.#state !== 'waiting';
  }

  inform(status: number, headers: Headers): void {
    // 100 is ours to give, 101 would leave HTTP, and HTTP/1.0 knows neither (RFC 9110 §15.2).
    if (this.started || status <= 101 || status > 199 || this.#options.exchange.protocol !== 'HTTP/1.1') return;
    this.#options.watch.touch();
    this.#options.response().writeInformation(status, onWire(headers));
  }

  /** Tells a client that waits for it to send its body. */
  continue(): void {
    if (!this.started) this.#options.response().writeContinue();
  }

  send(response: Response): Promise<Error | undefined> {
    return new Promise((resolve, reject) => {
      const { exchange, watch, method, elapsed } = this.#options;
      if (this.#state === 'done') return resolve(new Error('the connection is closed'));
      const { status, body } = response;
      const length = body.length;
      const hasContent = method !== 'HEAD' && status !== 204 && status !== 304;
      const http10 = exchange.protocol === 'HTTP/1.0';
      const headers = onWire(response.headers);
      if (hasContent) {
        if (length !== undefined) headers.push('Content-Length', String(length));
        else if (!http10) headers.push('Transfer-Encoding', 'chunked');
      } else if (status !== 204) {
        const declared =
          response.headers.get('content-length') ?? (isLocalReply(response) ? length?.toString() : undefined);
        if (declared !== undefined && /^\d+$/.test(declared)) headers.push('Content-Length', declared);
      }
      this.#endsWithConnection = hasContent && length === undefined && http10;
      if (this.#options.isLast() || this.#endsWithConnection) headers.push('Connection', 'close');

      const message = this.#options.response();
      // Persistence is the default of HTTP/1.1; nobody needs to read `keep-alive` on every answer.
      message.removeHeader('connection');
      try {
        message.writeHead(status, STATUS_CODES[status] ?? '', headers);
      } catch (error) {
        return reject(error instanceof Error ? error : new Error(String(error)));
      }
      this.#state = 'writing';
      this.#body = body;
      this.#settle = resolve;
      watch.touch();
      exchange.responseDuration = elapsed();

      const whole = hasContent ? body.whole : undefined;
      if (!hasContent) {
        body.cancel(new Error('the answer has no content'));
        message.end(this.#ended);
      } else if (whole !== undefined) {
        exchange.bytesSent = whole.byteLength;
        message.end(whole, this.#ended);
      } else {
        this.#stream(message, body, length);
      }
    });
  }

  abort(reason: Error): void {
    if (this.#state === 'done') return;
    this.#state = 'done';
    this.#body?.cancel(reason);
    this.#options.breakConnection(this.#endsWithConnection ? 'reset' : 'close');
    this.#settle(reason);
  }

  readonly #ended = (error?: Error | null): void => {
    if (this.#state === 'done') return;
    this.#state = 'done';
    if (error) this.#options.breakConnection('close');
    this.#settle(error ?? undefined);
  };

  #stream(message: ServerResponse, body: Body, length: number | undefined): void {
    const { exchange, watch } = this.#options;
    message.on('drain', () => {
      watch.touch();
      body.resume();
    });
    body.pipe({
      data: (chunk) => {
        if (this.#state === 'done') return false;
        watch.touch();
        exchange.bytesSent += chunk.byteLength;
        if (length !== undefined && exchange.bytesSent > length) {
          this.abort(new Error('the content is longer than announced'));
          return false;
        }
        return message.write(chunk);
      },
      end: (trailers) => {
        if (this.#state === 'done') return;
        if (length !== undefined && exchange.bytesSent < length) {
          return this.abort(new Error('the content is shorter than announced'));
        }
        if (trailers !== undefined && message.chunkedEncoding) message.addTrailers([...trailers]);
        message.end(this.#ended);
      },
      error: (error) => {
        this.abort(error);
      },
    });
    // Head and first chunk leave in one write if the chunk is near; an event stream must not wait for its first event.
    setImmediate(() => {
      if (this.#state === 'writing' && exchange.bytesSent === 0) message.flushHeaders();
    });
  }
}

/** The lines as they go out: what frames the message or speaks of the connection is added by who writes it. */
function onWire(headers: Headers): string[] {
  const { flat } = headers;
  const lines: string[] = [];
  for (let at = 0; at < flat.length; at += 2) {
    const name = flat[at]!;
    if (isOurs(name)) continue;
    lines.push(name, flat[at + 1]!);
  }
  return lines;
}

function isOurs(name: string): boolean {
  switch (name.length) {
    case 7:
    case 10:
    case 14:
    case 16:
    case 17:
      return framing.has(name.toLowerCase());
    default:
      return false;
  }
}

const framing = new Set([
  'upgrade',
  'trailer',
  'connection',
  'keep-alive',
  'content-length',
  'proxy-connection',
  'transfer-encoding',
]);
