import { weightsDiffer, type Balanced, type LoadBalancer } from './load-balancer.ts';

/** One after the other. Starts somewhere, so that many proxies that start together do not all begin with the same one. */
export function roundRobin<E extends Balanced>(endpoints: readonly E[], random: () => number): LoadBalancer<E> {
  return weightsDiffer(endpoints) ? smoothWeighted(endpoints) : inTurn(endpoints, random);
}

function inTurn<E extends Balanced>(endpoints: readonly E[], random: () => number): LoadBalancer<E> {
  let next = Math.floor(random() * endpoints.length);
  return {
    pick({ usable }) {
      for (let tried = 0; tried < endpoints.length; tried++) {
        const endpoint = endpoints[next]!;
        next = (next + 1) % endpoints.length;
        if (usable(endpoint)) return endpoint;
      }
      return undefined;
    },
  };
}

/** nginx's smooth weighted round robin: weights 5, 1, 1 give a a b a c a a, never five of a kind in a row. */
function smoothWeighted<E extends Balanced>(endpoints: readonly E[]): LoadBalancer<E> {
  const credit = new Float64Array(endpoints.length);
  return {
    pick({ usable }) {
      let best = -1;
      let total = 0;
      for (let at = 0; at < endpoints.length; at++) {
        const endpoint = endpoints[at]!;
        if (!usable(endpoint)) continue;
        total += endpoint.weight;
        credit[at]! += endpoint.weight;
        if (best < 0 || credit[at]! > credit[best]!) best = at;
      }
      if (best < 0) return undefined;
      credit[best]! -= total;
      return endpoints[best];
    },
  };
}
