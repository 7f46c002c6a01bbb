import type { FilterChain } from '../filter/chain.ts';
import type { Exchange, Headers, Request, Response, RouteFacts } from '../http/index.ts';

/** One way an exchange can go. Made at load; there is always one, `not_found` if no other matches. */
export interface Route {
  readonly facts: RouteFacts;
  readonly chain: FilterChain;
  /** Milliseconds without a byte in either direction before a stream is cut; 0 is off; undefined: the listener's. */
  readonly idleTimeout: number | undefined;
  /** Protocols that `Upgrade` may ask for here, in lower case. */
  readonly upgrades: ReadonlySet<string>;
  /**
   * Forward, redirect or direct response. Returns local replies for refusals.
   * @param inform relays interim responses (1xx) to the client
   * @throws UpstreamError when the cluster gave no usable response
   */
  answer(exchange: Exchange, inform: (status: number, headers: Headers) => void): Response | Promise<Response>;
}

export interface RouteTable {
  match(request: Request): Route;
}
