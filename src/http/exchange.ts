import { Cancellation } from './cancellation.ts';
import type { Request } from './request.ts';
import type { Response } from './response.ts';
import type { ResponseFlag } from './response-flag.ts';

/** What is known of the connection that a request came on. One object a connection. */
export interface Downstream {
  readonly listener: string;
  readonly connectionId: number;
  /** Peer of the socket; `unix` for a unix socket. Without port. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly tls: DownstreamTls | undefined;
}

export interface DownstreamTls {
  readonly version: string;
  readonly cipher: string;
  readonly serverName: string | undefined;
  /** Subject of the client certificate, when one was given and verified. */
  readonly peerSubject: string | undefined;
  /** The same certificate as an element of x-forwarded-client-cert. */
  readonly clientCertificate?: string | undefined;
}

/** What forwarding found out, for logs, metrics and filters. Filled by the router. */
export interface UpstreamFacts {
  cluster: string;
  /** `address:port` of the last try. */
  endpoint: string | undefined;
  /** Number of tries begun. */
  attempts: number;
  /** Milliseconds from the start of the first try to the head of the final response. */
  serviceTime: number | undefined;
  /** Why the last try failed, for operators. */
  failure: string | undefined;
}

/** Names what was matched. Filled by the router. */
export interface RouteFacts {
  readonly virtualHost: string;
  readonly route: string;
}

/** A typed note from one filter to another, made and exported by its author: `export const user = note<User>('user')`. */
export interface Note<T> {
  readonly name: string;
  /** Carries the type only; never set. */
  readonly _type?: T;
}

export function note<T>(name: string): Note<T> {
  return { name };
}

/** One request and its response. */
export class Exchange {
  /** Unix time in milliseconds. */
  readonly startTime: number;
  /** `performance.now()` at the start: use it for durations. */
  readonly started: number;
  readonly protocol: 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2';
  readonly downstream: Downstream;
  readonly request: Request;
  /** Who asks: the socket's peer, or what trusted proxies in front say (`xff_num_trusted_hops`). Without port. */
  clientAddress: string;
  /** Cancelled when the client has left. */
  readonly cancellation = new Cancellation();

  /** The request's method and path as they came, before filters and rewrites. */
  readonly originalMethod: string;
  readonly originalPath: string;

  route: RouteFacts = noRoute;
  /** Undefined until somebody has answered. */
  response: Response | undefined;
  upstream: UpstreamFacts | undefined;
  /** Why the status is what it is: `via_upstream`, or the details of a local reply or failure. */
  responseCodeDetails = '';
  readonly responseFlags: ResponseFlag[] = [];

  /** Body bytes that arrived from, and left for, the client. */
  bytesReceived = 0;
  bytesSent = 0;
  /** Milliseconds from start until: the whole request is here; the response head left; the last byte left. */
  requestDuration: number | undefined;
  responseDuration: number | undefined;
  duration: number | undefined;

  #notes: Map<Note<unknown>, unknown> | undefined;
  #abort: AbortController | undefined;

  constructor(
    downstream: Downstream,
    protocol: Exchange['protocol'],
    request: Request,
    clientAddress: string,
    now: { time: number; monotonic: number },
  ) {
    this.downstream = downstream;
    this.protocol = protocol;
    this.request = request;
    this.clientAddress = clientAddress;
    this.startTime = now.time;
    this.started = now.monotonic;
    this.originalMethod = request.method;
    this.originalPath = request.path;
  }

  addFlag(flag: ResponseFlag): void {
    if (!this.responseFlags.includes(flag)) this.responseFlags.push(flag);
  }

  get<T>(key: Note<T>): T | undefined {
    return this.#notes?.get(key) as T | undefined;
  }

  set<T>(key: Note<T>, value: T): void {
    (this.#notes ??= new Map()).set(key, value);
  }

  /** An AbortSignal for `fetch` and the like; aborted when the client has left. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      const abort = (this.#abort = new AbortController());
      this.cancellation.onCancel((reason) => abort.abort(reason));
    }
    return this.#abort.signal;
  }
}

const noRoute: RouteFacts = { virtualHost: '', route: '' };
