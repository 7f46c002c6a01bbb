import { noBody, textBody, type Body } from './body.ts';
import { Headers } from './headers.ts';
import type { ResponseFlag } from './response-flag.ts';

/** The final response of an exchange, from the app or from Portico itself. */
export interface Response {
  /** 200 to 599. */
  status: number;
  /**
   * End-to-end fields only. `content-length` is absent: the downstream codec frames the body. The exception are answers
   * without content that may declare one (to HEAD, and 304), where the app's `content-length` is kept as it came.
   */
  readonly headers: Headers;
  body: Body;
  /** Set when the answer has gone onto the upgraded socket already and bytes flow both ways until `ended`. */
  readonly tunnel?: Tunnel;
}

/** A connection that has left HTTP. */
export interface Tunnel {
  /** Never rejects; resolves when both sides are closed. */
  readonly ended: Promise<{ readonly bytesReceived: number; readonly bytesSent: number }>;
  /** Says goodbye in the words of what is spoken there (RFC 6455 §7.4.1: 1001) and ends both sides. */
  leave?(): void;
}

/** An answer made by the proxy itself (Envoy: local reply). */
export interface LocalReply extends Response {
  readonly local: { readonly details: string; readonly flag: ResponseFlag | undefined };
}

export interface LocalReplyOptions {
  /** Names the cause in the access log. */
  flag?: ResponseFlag;
  headers?: Headers | Record<string, string | readonly string[]>;
  /** Text, or a ready body. Default: the details, one line of text/plain. */
  body?: string | Body;
}

/**
 * Makes an answer of the proxy itself.
 * @param status 200 to 599
 * @param details why, in snake case and stable; shown in the access log as response code details
 */
export function localReply(status: number, details: string, options: LocalReplyOptions = {}): LocalReply {
  const headers = options.headers instanceof Headers ? options.headers : Headers.of(options.headers ?? {});
  let body: Body;
  if (options.body === undefined) {
    body = status === 204 || status === 304 ? noBody : textBody(`${details}\n`);
  } else {
    body = typeof options.body === 'string' ? textBody(options.body) : options.body;
  }
  if (body !== noBody && !headers.has('content-type')) headers.append('content-type', 'text/plain; charset=utf-8');
  return { status, headers, body, local: { details, flag: options.flag } };
}

export function isLocalReply(response: Response): response is LocalReply {
  return 'local' in response;
}
