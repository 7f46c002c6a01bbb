import { pickByWeight, type Balanced, type LoadBalancer } from './load-balancer.ts';

/** Any one, in proportion to the weights. */
export function randomChoice<E extends Balanced>(endpoints: readonly E[], random: () => number): LoadBalancer<E> {
  return {
    pick: ({ usable }) => pickByWeight(endpoints, random, (endpoint) => (usable(endpoint) ? endpoint.weight : 0)),
  };
}
