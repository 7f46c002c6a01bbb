import { leastRequest } from './least-request.ts';
import type { LoadBalancerFactory } from './load-balancer.ts';
import type { LoadBalancerName } from './names.ts';
import { randomChoice } from './random.ts';
import { ringHash } from './ring-hash.ts';
import { roundRobin } from './round-robin.ts';

export type { Balanced, LoadBalancer, LoadBalancerFactory, Pick } from './load-balancer.ts';

/** All policies, by the name that the configuration gives them. */
export const loadBalancers: Readonly<Record<LoadBalancerName, LoadBalancerFactory>> = {
  round_robin: roundRobin,
  least_request: leastRequest,
  random: randomChoice,
  ring_hash: ringHash,
};
