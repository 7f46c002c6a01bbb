/** What the cluster asks of a connection to an endpoint, whoever speaks HTTP on it. */
import type { Body } from '../http/index.ts';
import type { ExchangeFailure } from './upstream-socket.ts';

export interface UpstreamRequest {
  readonly method: string;
  /** Origin-form, or `*`. */
  readonly path: string;
  readonly authority: string;
  /** Name, value, name, value …: everything but the framing, `host` first. */
  readonly fields: readonly string[];
  /** When it is at hand as a whole, it is as long as it says. */
  readonly body: Body;
  /** The connection is not used again afterwards and says so. */
  readonly last: boolean;
}

/** Hears what comes back. After `head` follow `data` calls, then `end` or `fail`; `fail` may come at any time, and is last. */
export interface UpstreamAnswer {
  /** Bytes of the request body have gone to the socket. */
  sent(): void;
  /** An interim response, 100 to 199. */
  inform(status: number, fields: string[]): void;
  /** A final status, whatever the number, and the field lines as they came. */
  head(status: number, fields: string[]): void;
  /** The answer false asks for silence until `resume`. */
  data(chunk: Uint8Array): boolean;
  end(trailers: string[]): void;
  /** What has arrived together has been told: a head and its content, if that was short, can be passed on together. */
  told(): void;
  /** @param untouched no byte of the request has been given to the socket */
  fail(failure: ExchangeFailure, untouched: boolean): void;
}

export interface UpstreamConnection {
  /** Requests that were sent on it so far. */
  readonly requests: number;
  /** It can take another request. */
  readonly usable: boolean;
  /** Sends a request; one at a time. */
  send(request: UpstreamRequest, answer: UpstreamAnswer): void;
  /** Asks for more of the response body after `data` answered false. */
  resume(): void;
  /** Closes it now, whatever is under way. Nothing more is heard of a request that was under way. */
  destroy(): void;
}
