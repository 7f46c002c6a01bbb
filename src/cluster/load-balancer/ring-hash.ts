import { createHash } from 'node:crypto';
import type { Balanced, LoadBalancer } from './load-balancer.ts';

/** Envoy's minimum_ring_size. More points make the shares more even. */
const leastPoints = 1024;

/**
 * Ketama: every endpoint stands at many points of a ring; a request goes to the first usable one at or after its hash, so
 * that a change of one endpoint moves only that endpoint's share. Without a hash the choice is random.
 */
export function ringHash<E extends Balanced>(endpoints: readonly E[], random: () => number): LoadBalancer<E> {
  const points: { at: number; endpoint: E }[] = [];
  const totalWeight = endpoints.reduce((sum, endpoint) => sum + endpoint.weight, 0);
  const size = Math.max(leastPoints, endpoints.length * 100);
  for (const endpoint of endpoints) {
    // One digest gives four points.
    const digests = Math.max(1, Math.round((size * endpoint.weight) / totalWeight / 4));
    for (let n = 0; n < digests; n++) {
      const digest = createHash('md5').update(`${endpoint.address}-${n}`).digest();
      for (let part = 0; part < 16; part += 4) points.push({ at: digest.readUInt32LE(part), endpoint });
    }
  }
  points.sort((a, b) => a.at - b.at);
  return {
    pick({ hash, usable }) {
      const start = firstAtOrAfter(points, hash === undefined ? Math.floor(random() * 2 ** 32) : hash >>> 0);
      for (let tried = 0; tried < points.length; tried++) {
        const { endpoint } = points[(start + tried) % points.length]!;
        if (usable(endpoint)) return endpoint;
      }
      return undefined;
    },
  };
}

function firstAtOrAfter(points: readonly { readonly at: number }[], hash: number): number {
  let low = 0;
  let high = points.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (points[middle]!.at < hash) low = middle + 1;
    else high = middle;
  }
  return low;
}
