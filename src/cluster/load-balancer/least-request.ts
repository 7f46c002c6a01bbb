import { pickByWeight, weightsDiffer, type Balanced, type LoadBalancer } from './load-balancer.ts';

/**
 * Of two at random the one with fewer requests under way (Mitzenmacher, "The Power of Two Choices"). With unequal
 * weights each endpoint counts as weight / (active + 1), as Envoy does, so that an idle cluster follows the weights.
 */
export function leastRequest<E extends Balanced>(endpoints: readonly E[], random: () => number): LoadBalancer<E> {
  if (weightsDiffer(endpoints)) {
    return {
      pick: ({ usable }) =>
        pickByWeight(endpoints, random, (endpoint) => (usable(endpoint) ? endpoint.weight / (endpoint.active + 1) : 0)),
    };
  }
  return {
    pick({ usable }) {
      const able = endpoints.filter(usable);
      if (able.length < 2) return able[0];
      const first = Math.floor(random() * able.length);
      // The second is drawn from the others, else two endpoints would be compared with themselves half of the time.
      const second = (first + 1 + Math.floor(random() * (able.length - 1))) % able.length;
      const [a, b] = [able[first]!, able[second]!];
      return b.active < a.active ? b : a;
    },
  };
}
