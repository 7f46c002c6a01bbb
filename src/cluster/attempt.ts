import type { Body, Cancellation, Headers, Response, UpstreamError, Upgrade } from '../http/index.ts';

/** One try: what the router asks of a cluster. */
export interface Attempt {
  readonly method: string;
  readonly scheme: 'http' | 'https';
  readonly authority: string;
  readonly path: string;
  /** End-to-end fields as they shall be written, in order and case; no host, no framing. The cluster must not change them. */
  readonly headers: Headers;
  readonly body: Body;
  /** 32-bit hash for consistent balancing; undefined when the route has no hash policy. */
  readonly hash: number | undefined;
  /** Endpoints that failed earlier in this exchange: others are preferred. */
  readonly avoid: ReadonlySet<string>;
  /** The app may have had to bear an earlier try: this one needs a retry permit (`retry_budget` or `max_retries`). */
  readonly isRetry: boolean;
  /** An idle connection will not do: one was just found dead. */
  readonly fresh?: boolean;
  /** Reading of the monotonic clock after which nobody waits any more, if there is one and it is known. */
  readonly deadline?: number | undefined;
  /** Milliseconds from the start of the try to the response head; 0 is off. Beyond: UpstreamError 504 UT, `upstream_per_try_timeout`. */
  readonly perTryTimeout: number;
  /** Milliseconds without a byte in either direction; 0 is off. */
  readonly idleTimeout: number;
  /** Told the endpoint as soon as it is picked, `address:port`. */
  readonly onEndpoint: (endpoint: string) => void;
  /** Interim responses (1xx but not 101), as they come. */
  readonly onInform: (status: number, headers: Headers) => void;
  /** Cancelled when nobody waits any more: the upstream request is aborted at once and no permit stays taken. */
  readonly cancellation: Cancellation;
}

/** The app's answer; `body` flows when somebody pipes it, and cancelling it aborts the upstream request. */
export interface UpstreamResponse extends Response {
  readonly endpoint: string;
}

/** Told once, perhaps at once, how a try has ended. */
export type Outcome = (outcome: UpstreamResponse | UpstreamError) => void;

/** What the router sees of a cluster. */
export interface UpstreamCluster {
  readonly name: string;
  /** Permit → endpoint → connection → request. Counts, breakers and outlier detection are served inside. */
  send(attempt: Attempt, done: Outcome): void;
  /**
   * Hands the client's socket to the app. The app's answer (101, or its refusal) goes straight onto the socket; the
   * response carries its status and the tunnel. After an UpstreamError nothing was written to the client's socket, which is
   * then still the caller's.
   */
  tunnel(attempt: Attempt, upgrade: Upgrade, done: Outcome): void;
}
