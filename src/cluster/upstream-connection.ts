/** What the cluster asks of a connection to an endpoint, whoever speaks HTTP on it. */
import type { Body, Headers } from '../http/index.ts';
import type { ExchangeFailure } from './upstream-socket.ts';

export interface UpstreamRequest {
  readonly method: string;
  /** Origin-form, or `*`. */
  readonly path: string;
  readonly authority: string;
  /** Name, value, name, value …: the field lines. Those that {@link isConnectionsOwn} are left out by who writes them. */
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
  inform(status: number, headers: Headers): void;
  /**
   * A final status from 200 to 599 and the end-to-end fields, without those that frame the message, except a declared length
   * of an answer that has no content by its nature (RFC 9110 §8.6).
   * @param length bytes of content, when known; 0 where the response cannot have any
   * @param announced names of trailers that may be passed on, if the app has announced some and the length is unknown
   */
  head(status: number, headers: Headers, length: number | undefined, announced?: string): void;
  /** The answer false asks for silence until `resume`. */
  data(chunk: Uint8Array): boolean;
  /** @param trailers those that may be passed on; undefined when there are none */
  end(trailers: Headers | undefined): void;
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

/**
 * Framing and host are written by who owns the connection. `expect` was answered by the listener, which alone knows the
 * client; our own request never waits for a 100.
 */
export function isConnectionsOwn(name: string): boolean {
  switch (name.length) {
    case 4:
      return name.toLowerCase() === 'host';
    case 6:
      return name.toLowerCase() === 'expect';
    case 7:
      return name.toLowerCase() === 'upgrade';
    case 10:
      return name.toLowerCase() === 'connection' || name.toLowerCase() === 'keep-alive';
    case 14:
      return name.toLowerCase() === 'content-length';
    case 17:
      return name.toLowerCase() === 'transfer-encoding';
    default:
      return false;
  }
}
