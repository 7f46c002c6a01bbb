import { createHash } from 'node:crypto';
import type { Balanced, LoadBalancer } from './load-balancer.ts';

/** Digests, of four points each, for an endpoint of the least weight. More points make the shares more even. */
const digestsOfLeast = 64;
/** Digests of the whole ring, where very unequal weights would ask for more. */
const mostDigests = 16_384;

/**
 * Ketama: every endpoint stands at many points of a ring; a request goes to the first usable one at or after its hash, so
 * that a change of one endpoint moves only that endpoint's share. Without a hash the choice is random.
 */
export function ringHash<E extends Balanced>(endpoints: readonly E[], random: () => number): LoadBalancer<E> {
  const points: { at: number; endpoint: E }[] = [];
  const least = endpoints.reduce((weight, endpoint) => Math.min(weight, endpoint.weight), Infinity);
  const total = endpoints.reduce((sum, endpoint) => sum + endpoint.weight, 0);
  // Not a share of a ring of fixed size: then every change of the list would move everybody's points.
  const perWeight = Math.min(digestsOfLeast / least, mostDigests / total);
  for (const endpoint of endpoints) {
    const digests = Math.max(1, Math.round(endpoint.weight * perWeight));
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
