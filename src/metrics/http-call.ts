import type { IncomingHttpHeaders } from 'node:http';
import type { SecureContextOptions } from 'node:tls';
import { http } from '../node-http.ts';

export interface HttpCall {
  readonly method: 'GET' | 'POST';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Milliseconds for all of it. */
  readonly timeout: number;
  /** Most bytes of an answer's body. */
  readonly maxBytes: number;
  /** For https. */
  readonly tls?: SecureContextOptions & { readonly servername?: string };
  readonly signal?: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Room for the head of an answer, in bytes. */
const maxHeaderSize = 16 * 1024;

/**
 * One HTTP/1.1 exchange on a connection of its own; redirects are not followed. On Node's own client: it is loaded already for
 * serving, while undici takes 8 MB more.
 * @throws Error of the socket, of the protocol, or one that says that the answer is too large or late
 */
export async function httpCall(call: HttpCall): Promise<HttpAnswer> {
  const { request } = call.url.protocol === 'https:' ? await import('node:https') : http;
  return new Promise((resolve, reject) => {
    const giveUp = new AbortController();
    const abort = () => giveUp.abort();
    let late = false;
    const limit = setTimeout(() => {
      late = true;
      abort();
    }, call.timeout);
    call.signal?.addEventListener('abort', abort, { once: true });
    if (call.signal?.aborted) abort();
    const end = () => {
      clearTimeout(limit);
      call.signal?.removeEventListener('abort', abort);
    };
    const fail = (error: Error) => {
      end();
      reject(late ? new Error(`no answer within ${call.timeout} ms`, { cause: error }) : error);
    };
    const headers = {
      'user-agent': 'portico-metrics',
      ...call.headers,
      ...(call.body && { 'content-length': String(call.body.length) }),
    };
    const asked = request(call.url, {
      ...call.tls,
      method: call.method,
      headers,
      agent: false,
      signal: giveUp.signal,
      maxHeaderSize,
    });
    asked.on('error', fail);
    asked.once('response', (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > call.maxBytes) asked.destroy(new Error(`the answer is larger than ${call.maxBytes} bytes`));
        else chunks.push(chunk);
      });
      response.on('error', fail);
      response.once('aborted', () => fail(new Error('the answer broke off')));
      response.once('end', () => {
        // A message that breaks off may end as if it were whole.
        if (!response.complete) return fail(new Error('the answer broke off'));
        end();
        resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) });
      });
    });
    asked.end(call.body);
  });
}
