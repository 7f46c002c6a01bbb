import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { isLocalReply, type Body, type Exchange, type Headers, type Response } from '../../../src/http/index.ts';
import type { ResponseWriter } from '../../../src/listener/response-writer.ts';
import type { Watch } from '../../../src/listener/watch.ts';

/** Writes one response onto an HTTP/2 stream. */
export class Http2Writer implements ResponseWriter {
  readonly #stream: ServerHttp2Stream;
  readonly #exchange: Exchange;
  readonly #watch: Watch;
  readonly #clock: { monotonic(): number };
  #state: 'waiting' | 'writing' | 'done' = 'waiting';
  #body: Body | undefined;
  #settle: (failure: Error | undefined) => void = ignore;

  constructor(stream: ServerHttp2Stream, exchange: Exchange, watch: Watch, clock: { monotonic(): number }) {
    this.#stream = stream;
    this.#exchange = exchange;
    this.#watch = watch;
    this.#clock = clock;
  }

  get started(): boolean {
    return this.#state !== 'waiting';
  }

  inform(status: number, headers: Headers): void {
    if (this.started || status <= 101 || status > 199 || this.#stream.closed) return;
    this.#watch.touch();
    this.#stream.additionalHeaders({ ':status': status, ...asObject(headers) });
  }

  /** Tells a client that waits for it to send its body. */
  continue(): void {
    if (!this.started && !this.#stream.closed) this.#stream.additionalHeaders({ ':status': 100 });
  }

  send(response: Response): Promise<Error | undefined> {
    return new Promise((resolve, reject) => {
      const stream = this.#stream;
      const exchange = this.#exchange;
      // The method as received: a filter may have changed the request's.
      const method = exchange.originalMethod;
      if (this.#state === 'done' || stream.closed || stream.destroyed) {
        response.body.cancel(new Error('the stream is closed'));
        return resolve(new Error('the stream is closed'));
      }
      const { status, body } = response;
      const length = body.length;
      const hasContent = method !== 'HEAD' && status !== 204 && status !== 205 && status !== 304;
      const headers = [':status', String(status)];
      onWire(response.headers, headers);
      if (hasContent) {
        if (length !== undefined) headers.push('content-length', String(length));
      } else if (status !== 204) {
        const declared =
          response.headers.get('content-length') ?? (isLocalReply(response) ? length?.toString() : undefined);
        if (declared !== undefined && /^\d+$/.test(declared)) headers.push('content-length', declared);
      }
      const whole = hasContent ? body.whole : undefined;
      const empty = !hasContent || whole?.byteLength === 0;
      const waitForTrailers = !empty && length === undefined;
      try {
        stream.respond(headers, { endStream: empty, waitForTrailers });
      } catch (error) {
        return reject(error instanceof Error ? error : new Error(String(error)));
      }
      this.#state = 'writing';
      this.#body = body;
      this.#settle = resolve;
      this.#watch.touch();
      exchange.responseDuration = this.#clock.monotonic() - exchange.started;

      if (empty) {
        if (!hasContent) body.cancel(new Error('the answer has no content'));
        this.finished();
        return;
      }
      if (whole !== undefined) {
        exchange.bytesSent = whole.byteLength;
        stream.end(whole);
      } else {
        this.#pipe(body, length, waitForTrailers);
      }
    });
  }

  /** The last byte has been handed to the connection. */
  finished(): void {
    if (this.#state !== 'writing') return;
    this.#state = 'done';
    this.#settle(undefined);
  }

  /** The stream is closed, and nothing more can be written. Says whether the answer went out whole, or was given up by us. */
  closed(): boolean {
    const { writableEnded, rstCode, aborted } = this.#stream;
    if (writableEnded && rstCode === constants.NGHTTP2_NO_ERROR && !aborted) this.finished();
    return this.#state === 'done';
  }

  abort(reason: Error): void {
    if (this.#state === 'done') return;
    this.#state = 'done';
    this.#body?.cancel(reason);
    if (!this.#stream.closed) this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    this.#settle(reason);
  }

  #pipe(body: Body, length: number | undefined, waitForTrailers: boolean): void {
    const stream = this.#stream;
    const exchange = this.#exchange;
    const watch = this.#watch;
    let fields: OutgoingHttpHeaders = {};
    if (waitForTrailers) stream.on('wantTrailers', () => stream.sendTrailers(fields));
    stream.on('drain', () => {
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
        return stream.write(chunk);
      },
      end: (trailers) => {
        if (this.#state === 'done') return;
        if (length !== undefined && exchange.bytesSent < length) {
          return this.abort(new Error('the content is shorter than announced'));
        }
        if (trailers !== undefined) fields = asObject(trailers);
        stream.end();
      },
      error: (error) => {
        this.abort(error);
      },
    });
  }
}

function ignore(): void {}

/** Appends the lines in lower case (RFC 9113 §8.2), without those that speak of an HTTP/1 connection or frame a message. */
function onWire(headers: Headers, lines: string[]): void {
  const { flat } = headers;
  for (let at = 0; at < flat.length; at += 2) {
    const name = flat[at]!.toLowerCase();
    if (!notInHttp2.has(name)) lines.push(name, flat[at + 1]!);
  }
}

const notInHttp2 = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'te',
  'trailer',
  'content-length',
  'http2-settings',
]);

function asObject(headers: Headers): OutgoingHttpHeaders {
  const fields: Record<string, string[]> = {};
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    if (!notInHttp2.has(lower)) (fields[lower] ??= []).push(value);
  }
  return fields;
}
