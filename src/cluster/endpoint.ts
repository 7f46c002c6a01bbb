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
  /** No longer among the endpoints of the cluster: its connections are closed when their requests are done. */
  gone = false;

  constructor(found: Found) {
    this.address = found.address;
    this.target = found.target;
    this.weight = found.weight;
  }

  get ejected(): boolean {
    return this.outlier.ejectedUntil !== undefined;
  }
}
