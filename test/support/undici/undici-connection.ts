import type { Socket } from 'node:net';
import { Client, errors, type Dispatcher } from 'undici';
import { RequestBodyStream } from './request-body-stream.ts';
import {
  isConnectionsOwn,
  type UpstreamAnswer,
  type UpstreamConnection,
  type UpstreamRequest,
} from '../../../src/cluster/upstream-connection.ts';
import { Headers, mayTrail, removeHopByHop } from '../../../src/http/index.ts';
import { readResponseHead } from './response-head.ts';
import type { ExchangeFailure } from '../../../src/cluster/upstream-socket.ts';

export interface UndiciConnectionOptions {
  /** Milliseconds an unused connection is kept; the app may ask for less. */
  readonly idleTimeout: number;
  /** Bytes of a response's header section. */
  readonly maxResponseHeaders: number;
}

/** Longest delay that a timer of Node takes. */
const longestDelay = 2 ** 31 - 1;

/**
 * One connection on which undici speaks HTTP/1.1. The socket is ours and open; undici's own habit of connecting again is
 * turned off, so that a client lives exactly as long as its socket. undici closes the socket by itself when it may not be
 * used again (`Connection: close`, stray bytes, idle for too long), and we notice by the socket.
 */
export class UndiciConnection implements UpstreamConnection {
  readonly #socket: Socket;
  readonly #client: Client;
  #requests = 0;
  #last = false;
  #socketError: Error | undefined;
  #controller: Dispatcher.DispatchController | undefined;

  constructor(socket: Socket, options: UndiciConnectionOptions) {
    this.#socket = socket;
    const idleTimeout = options.idleTimeout === 0 ? longestDelay : options.idleTimeout;
    // Before undici's listener: it takes a reset behind a body without length for the end of that body (RFC 9112 §8).
    socket.on('error', (error) => (this.#socketError = error));
    let handedOver = false;
    // The origin is a name for undici only: the socket is connected, TLS is done, and every request brings its own host.
    this.#client = new Client('http://upstream.invalid', {
      pipelining: 1,
      maxHeaderSize: options.maxResponseHeaders,
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: idleTimeout,
      keepAliveMaxTimeout: idleTimeout,
      keepAliveTimeoutThreshold: 1000,
      connect: (_options, callback) => {
        const first = !handedOver;
        handedOver = true;
        queueMicrotask(() => {
          if (first && !socket.destroyed) callback(null, socket);
          else callback(new GoneError('the connection is gone'), null);
        });
      },
    });
    socket.once('close', () => this.#client.destroy(new GoneError('the connection was closed'), () => {}));
  }

  get requests(): number {
    return this.#requests;
  }

  get usable(): boolean {
    return !this.#last && !this.#socket.destroyed && this.#socket.writable && !this.#client.destroyed;
  }

  send(request: UpstreamRequest, answer: UpstreamAnswer): void {
    this.#requests++;
    this.#last = request.last;
    const { body } = request;
    const whole = body.whole;
    const fields = ['host', request.authority];
    for (let at = 0; at < request.fields.length; at += 2) {
      if (!isConnectionsOwn(request.fields[at]!)) fields.push(request.fields[at]!, request.fields[at + 1]!);
    }
    let content: Uint8Array | RequestBodyStream | null = null;
    if (whole !== undefined) {
      if (whole.byteLength > 0) content = whole;
    } else if (body.length !== 0) {
      content = new RequestBodyStream(body);
      if (body.length !== undefined) fields.push('content-length', String(body.length));
    }
    this.#client.dispatch(
      {
        method: request.method,
        // undici refuses `*`. The absolute form without path means the same (RFC 9112 §3.2.4), and every server takes it.
        path: request.path === '*' ? `http://${request.authority}` : request.path,
        headers: fields,
        body: content,
        // Said outright, because by itself undici gives up a connection after HEAD, and after a body on GET or DELETE.
        reset: request.last,
        // One request at a time anyway; this only keeps undici from holding it back.
        idempotent: true,
      },
      this.#handler(request.method, answer, content instanceof RequestBodyStream ? content : undefined),
    );
  }

  resume(): void {
    this.#controller?.resume();
  }

  destroy(): void {
    this.#client.destroy(new GoneError('aborted'), () => {});
    this.#socket.destroy();
  }

  #unusable(answer: UpstreamAnswer, reason: string): void {
    answer.fail({ kind: 'protocol', reason, cause: new Error(reason) }, false);
    this.destroy();
  }

  #handler(method: string, answer: UpstreamAnswer, content: RequestBodyStream | undefined): Dispatcher.DispatchHandler {
    const writtenBefore = this.#socket.bytesWritten;
    let closeDelimited = false;
    let started = false;
    return {
      onRequestStart: (controller) => {
        this.#controller = controller;
      },
      onBodySent: () => answer.sent(),
      onResponseStart: (controller, status) => {
        const fields = lines(controller.rawHeaders);
        if (status === 101) return this.#unusable(answer, 'unexpected_upgrade');
        if (status >= 100 && status < 200) {
          const headers = Headers.parsed(fields);
          removeHopByHop(headers);
          return answer.inform(status, headers);
        }
        started = true;
        closeDelimited = !hasFraming(fields);
        const head = readResponseHead(method, status, fields);
        if (typeof head === 'string') return this.#unusable(answer, head);
        answer.head(status, head.headers, head.length);
        answer.told();
      },
      onResponseData: (controller, chunk) => {
        // A resumed parser comes with an empty chunk first; to pause at that would be to resume for ever.
        if (chunk.byteLength > 0 && !answer.data(chunk)) controller.pause();
      },
      onResponseEnd: (controller) => {
        this.#controller = undefined;
        if (closeDelimited && this.#socketError !== undefined) {
          return answer.fail({ kind: 'reset', cause: this.#socketError }, false);
        }
        const trailers = Headers.parsed(lines(controller.rawTrailers));
        trailers.filter(mayTrail);
        answer.end(trailers.size === 0 ? undefined : trailers);
      },
      onResponseError: (_controller, error) => {
        this.#controller = undefined;
        content?.destroy();
        answer.fail(failureOf(error, content?.errored ?? null, started), this.#socket.bytesWritten === writtenBefore);
      },
    };
  }
}

class GoneError extends Error {}

/** Field lines as undici keeps them, a byte a code unit. Space around a value is not part of it (RFC 9112 §5.1). */
function lines(raw: Dispatcher.DispatchController['rawHeaders']): string[] {
  if (!Array.isArray(raw)) return [];
  const fields: string[] = [];
  for (const part of raw) {
    const text = typeof part === 'string' ? part : part.toString('latin1');
    const last = text.charCodeAt(text.length - 1);
    fields.push(last === 0x20 || last === 0x09 ? text.trimEnd() : text);
  }
  return fields;
}

function hasFraming(fields: readonly string[]): boolean {
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at]!.toLowerCase();
    if (name === 'content-length' || name === 'transfer-encoding') return true;
  }
  return false;
}

function failureOf(error: Error, bodyError: Error | null, started: boolean): ExchangeFailure {
  if (bodyError !== null && error === bodyError) return { kind: 'request_body', cause: error };
  if (error instanceof errors.RequestContentLengthMismatchError) return { kind: 'request_body', cause: error };
  if (error instanceof errors.HeadersOverflowError)
    return { kind: 'protocol', reason: 'headers_too_large', cause: error };
  if (error instanceof errors.ResponseContentLengthMismatchError && !started) {
    return { kind: 'protocol', reason: 'content_length', cause: error };
  }
  if (error instanceof errors.HTTPParserError) {
    // undici loses llhttp's code on the way, but not its sentence.
    const sentence = /\((.+)\)$/.exec(error.message)?.[1] ?? 'malformed';
    // The message ended before its end: that is the connection's doing.
    if (sentence === 'Invalid EOF state') return { kind: 'reset', cause: error };
    return { kind: 'protocol', reason: sentence.toLowerCase().replace(/[^a-z0-9]+/g, '_'), cause: error };
  }
  if (error instanceof errors.InvalidArgumentError || error instanceof errors.NotSupportedError) {
    return { kind: 'protocol', reason: 'unsendable_request', cause: error };
  }
  if (error.message === 'bad upgrade') return { kind: 'protocol', reason: 'unexpected_upgrade', cause: error };
  // undici takes 100 Continue for a fault, because it never sends an Expect.
  if (error.message === 'bad response') return { kind: 'protocol', reason: 'unexpected_response', cause: error };
  if (error.name === 'AssertionError') return { kind: 'protocol', reason: 'malformed', cause: error };
  return { kind: 'reset', cause: error };
}
