import type { FilterChain } from '../filter/chain.ts';
import type { Exchange, Headers, Request, Response, RouteFacts } from '../http/index.ts';

/** Who waits for the answer of a route. */
export interface AnswerReceiver {
  /** Relays an interim response (1xx) to the client. */
  inform(status: number, headers: Headers): void;
  /**
   * Called once, perhaps before `answer` of the route has returned: the response, or, mostly as an UpstreamError, why there
   * is none.
   */
  answer(outcome: Response | Error): void;
}

/** One way an exchange can go. Made at load; there is always one, `not_found` if no other matches. */
export interface Route {
  readonly facts: RouteFacts;
  readonly chain: FilterChain;
  /** Milliseconds without a byte in either direction before a stream is cut; 0 is off; undefined: the listener's. */
  readonly idleTimeout: number | undefined;
  /** Protocols that `Upgrade` may ask for here, in lower case. */
  readonly upgrades: ReadonlySet<string>;
  /** Forward, redirect or direct response. Refusals are local replies. */
  answer(exchange: Exchange, receiver: AnswerReceiver): void;
}

export interface RouteTable {
  match(request: Request): Route;
}
