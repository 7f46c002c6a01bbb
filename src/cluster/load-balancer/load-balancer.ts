/** What balancing needs to know of an endpoint. */
export interface Balanced {
  /** `address:port`; stable, so that a ring stays the same when the list is made again. */
  readonly address: string;
  /** Relative share, at least 1. */
  readonly weight: number;
  /** Requests under way. */
  readonly active: number;
}

/** One request as a load balancer sees it. */
export interface Pick<E extends Balanced> {
  /** 32-bit hash for consistent balancing, if the route makes one. */
  readonly hash: number | undefined;
  /** Says which endpoints may be answered. */
  readonly usable: (endpoint: E) => boolean;
}

/** Chooses among the endpoints it was made for; made anew when they change. */
export interface LoadBalancer<E extends Balanced> {
  /** A usable endpoint, or undefined when there is none. */
  pick(request: Pick<E>): E | undefined;
}

/** Makes a load balancer. `random` answers a number from 0 up to but not including 1. */
export type LoadBalancerFactory = <E extends Balanced>(
  endpoints: readonly E[],
  random: () => number,
) => LoadBalancer<E>;

export function weightsDiffer(endpoints: readonly Balanced[]): boolean {
  return endpoints.some((endpoint) => endpoint.weight !== endpoints[0]!.weight);
}

/** Chooses in proportion to `weigh`, which answers 0 for what must not be chosen. */
export function pickByWeight<E>(items: readonly E[], random: () => number, weigh: (item: E) => number): E | undefined {
  let total = 0;
  for (const item of items) total += weigh(item);
  if (total === 0) return undefined;
  let left = random() * total;
  let last: E | undefined;
  for (const item of items) {
    const weight = weigh(item);
    if (weight === 0) continue;
    last = item;
    left -= weight;
    if (left < 0) return item;
  }
  // Rounding can leave a crumb behind the last one.
  return last;
}
