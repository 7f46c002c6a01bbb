import { unchecked, type HealthState } from './health-state.ts';
import type { Balanced } from './load-balancer/index.ts';
import { noOutlier, type OutlierState } from './outlier-detection.ts';
import type { SocketTarget } from './upstream-socket.ts';

/** What discovery knows of an endpoint. */
export interface Found {
  /** `address:port` or `unix:/path`; its identity. */
  readonly address: string;
  readonly target: SocketTarget;
  readonly weight: number;
}

/** One place where the app listens, with what is known of it. */
export class Endpoint implements Balanced {
  readonly address: string;
  readonly target: SocketTarget;
  readonly weight: number;
  /** Requests and tunnels under way. */
  active = 0;
  /** Open connections, and those about to be. */
  connections = 0;
  outlier: OutlierState = noOutlier;
  /** What active health checks say; undefined when there are none. */
  health: HealthState | undefined;
  /** Clock reading since which it may get requests; slow start counts from here. */
  since: number;
  /** It has accepted a connection before. */
  seen = false;
  /** It refused the last connection: nobody listens there. */
  refusing = false;
  /** No longer among the endpoints of the cluster: its connections are closed when their requests are done. */
  gone = false;

  constructor(found: Found, options: { readonly since: number; readonly checked: boolean }) {
    this.address = found.address;
    this.target = found.target;
    this.weight = found.weight;
    this.since = options.since;
    this.health = options.checked ? unchecked : undefined;
  }

  /** Neither ejected nor found unhealthy, nor waiting for its first check. */
  get healthy(): boolean {
    return this.outlier.ejectedUntil === undefined && (this.health === undefined || this.health.health === 'healthy');
  }

  get ejected(): boolean {
    return this.outlier.ejectedUntil !== undefined;
  }
}
