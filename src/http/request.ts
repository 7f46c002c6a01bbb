import type { Duplex } from 'node:stream';
import type { Body } from './body.ts';
import type { Headers } from './headers.ts';

/** A request as filters, router and cluster see it, whatever protocol brought it. */
export interface Request {
  method: string;
  readonly scheme: 'http' | 'https';
  /** Host and, if given, port. It is not repeated as a `host` header; the upstream codec writes it. */
  authority: string;
  /** Origin-form target with its query: `/items?id=7`, or `*` of OPTIONS. Already normalised. */
  path: string;
  /** End-to-end fields only: hop-by-hop and framing fields are gone (RFC 9110 §7.6.1). */
  readonly headers: Headers;
  body: Body;
  /** The client asks to leave HTTP on this connection (RFC 9110 §7.8). HTTP/1.1 only. */
  readonly upgrade: Upgrade | undefined;
}

/** A connection that may become a tunnel. Whoever takes the socket owns it. */
export interface Upgrade {
  /** The protocol asked for, in lower case: `websocket`. */
  readonly protocol: string;
  readonly socket: Duplex;
  /** Bytes that arrived behind the request head. */
  readonly head: Uint8Array;
}

/** The path without its query. */
export function pathOf(target: string): string {
  const query = target.indexOf('?');
  return query < 0 ? target : target.slice(0, query);
}

/** Methods whose repetition has the effect of one (RFC 9110 §9.2.2). */
export function isIdempotent(method: string): boolean {
  return idempotent.has(method);
}

const idempotent = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);
