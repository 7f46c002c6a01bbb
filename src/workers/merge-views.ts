/** What several workers show of the same clusters and listeners, as one: numbers are added, states that differ are told apart. */
import type { ClusterView, EndpointView, ListenerView } from '../admin/index.ts';

export function mergeClusters(all: readonly (readonly ClusterView[])[]): ClusterView[] {
  return byKey(all.flat(), ({ name }) => name).map((same) => ({
    ...same[0],
    error_rate_breaker: states(same.map((one) => one.error_rate_breaker)),
    idle_connections: sum(same.map((one) => one.idle_connections)),
    circuit_breakers: Object.fromEntries(
      Object.keys(same[0].circuit_breakers).map((ceiling) => [
        ceiling,
        {
          used: sum(same.map((one) => one.circuit_breakers[ceiling]?.used ?? 0)),
          // What is shared is the same for all, but for the moment of a reload.
          most: (same[0].circuit_breakers[ceiling]?.shared === true ? largest : sum)(
            same.map((one) => one.circuit_breakers[ceiling]?.most ?? 0),
          ),
        },
      ]),
    ),
    endpoints: mergeEndpoints(same.flatMap((one) => one.endpoints)),
  }));
}

function mergeEndpoints(all: readonly EndpointView[]): EndpointView[] {
  return byKey(all, ({ address }) => address).map((same) => ({
    ...same[0],
    health: states(same.map((one) => one.health)),
    active_requests: sum(same.map((one) => one.active_requests)),
    connections: sum(same.map((one) => one.connections)),
  }));
}

export function mergeListeners(all: readonly (readonly ListenerView[])[]): ListenerView[] {
  return byKey(all.flat(), ({ name, address }) => `${name} ${address}`).map((same) => ({
    ...same[0],
    connections: sum(same.map((one) => one.connections)),
    active_exchanges: sum(same.map((one) => one.active_exchanges)),
  }));
}

/** `closed`, or `closed (1 of 2), open (1 of 2)`. */
function states(all: readonly string[]): string {
  const kinds = byKey(all, (state) => state);
  if (kinds.length === 1) return kinds[0]![0];
  return kinds.map((same) => `${same[0]} (${same.length} of ${all.length})`).join(', ');
}

function byKey<T>(all: readonly T[], key: (one: T) => string): [T, ...T[]][] {
  const groups = new Map<string, [T, ...T[]]>();
  for (const one of all) {
    const group = groups.get(key(one));
    if (group === undefined) groups.set(key(one), [one]);
    else group.push(one);
  }
  return [...groups.values()];
}

function largest(numbers: readonly number[]): number {
  return Math.max(...numbers);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
