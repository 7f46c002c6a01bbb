/** The policies that `lb_policy` knows. */
export const loadBalancerNames = ['round_robin', 'least_request', 'random', 'ring_hash'] as const;

export type LoadBalancerName = (typeof loadBalancerNames)[number];
