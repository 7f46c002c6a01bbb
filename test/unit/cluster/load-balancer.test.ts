import { describe, expect, it } from 'vitest';
import { loadBalancers, type Balanced, type LoadBalancer } from '../../../src/cluster/load-balancer/index.ts';
import { loadBalancerNames } from '../../../src/cluster/load-balancer/names.ts';

interface Host extends Balanced {
  active: number;
}

const hosts = (...weights: number[]): Host[] =>
  weights.map((weight, at) => ({ address: `10.0.0.${at}:80`, weight, active: 0 }));

/** Numbers that look random and are the same every time (mulberry32). */
function seeded(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const all = () => true;

/** How often each is picked, as shares. Every pick has another hash, as different clients have. */
function shares(balancer: LoadBalancer<Host>, among: Host[], usable: (host: Host) => boolean = all): number[] {
  const rounds = 20_000;
  const hash = seeded(99);
  const counts = new Map<Host, number>();
  for (let n = 0; n < rounds; n++) {
    const host = balancer.pick({ hash: Math.floor(hash() * 2 ** 32), usable })!;
    counts.set(host, (counts.get(host) ?? 0) + 1);
  }
  return among.map((host) => (counts.get(host) ?? 0) / rounds);
}

describe.each(loadBalancerNames)('%s', (name) => {
  const make = (among: Host[], seed = 1) => loadBalancers[name](among, seeded(seed));

  it('answers undefined when there is nothing', () => {
    expect(make([]).pick({ hash: 1, usable: all })).toBeUndefined();
  });

  it('answers undefined when nothing is usable', () => {
    expect(make(hosts(1, 2, 3)).pick({ hash: 1, usable: () => false })).toBeUndefined();
  });

  it('answers the only one, always', () => {
    const [only] = hosts(7);
    for (const hash of [undefined, 0, 1, 2 ** 31, 2 ** 32 - 1])
      expect(make([only!]).pick({ hash, usable: all })).toBe(only);
  });

  it.each([[[1, 1, 1]], [[1, 5, 2]]])(
    'never answers one that is not usable, but every other one (weights %s)',
    (weights) => {
      const among = hosts(...weights);
      const got = shares(make(among), among, (host) => host !== among[1]);
      expect(got[1]).toBe(0);
      expect(got[0]).toBeGreaterThan(0);
      expect(got[2]).toBeGreaterThan(0);
    },
  );

  it.each([[[1, 1, 1, 1]], [[1, 2, 5]], [[10, 20, 50]]])('gives shares by weight (%s)', (weights) => {
    const among = hosts(...weights);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const got = shares(make(among), among);
    // A ring of a thousand points is only about even.
    const tolerance = name === 'ring_hash' ? 0.08 : 0.02;
    got.forEach((share, at) => expect(Math.abs(share - weights[at]! / total)).toBeLessThan(tolerance));
  });

  it('takes requests without hash', () => {
    const among = hosts(1, 1, 1);
    const balancer = make(among);
    const got = new Set(Array.from({ length: 100 }, () => balancer.pick({ hash: undefined, usable: all })));
    expect(got.size).toBe(3);
  });
});

describe('round_robin', () => {
  it('starts anywhere, then takes turns', () => {
    const among = hosts(1, 1, 1);
    const balancer = loadBalancers.round_robin(among, () => 0.5);
    const order = Array.from({ length: 6 }, () => among.indexOf(balancer.pick({ hash: undefined, usable: all })!));
    expect(order).toEqual([1, 2, 0, 1, 2, 0]);
  });

  it('mixes the turns of unequal weights', () => {
    const among = hosts(5, 1, 1);
    const balancer = loadBalancers.round_robin(among, () => 0);
    const order = Array.from({ length: 7 }, () => among.indexOf(balancer.pick({ hash: undefined, usable: all })!));
    expect(order).toEqual([0, 0, 1, 0, 2, 0, 0]);
  });
});

describe('least_request', () => {
  it('never answers the busiest of many', () => {
    const among = hosts(1, 1, 1);
    among[0]!.active = 10;
    expect(shares(loadBalancers.least_request(among, seeded(1)), among)[0]).toBe(0);
  });

  it('weighs requests under way against weights', () => {
    const among = hosts(1, 4);
    among[1]!.active = 3;
    const [one] = shares(loadBalancers.least_request(among, seeded(1)), among);
    expect(one).toBeCloseTo(0.5, 1);
  });
});

describe('ring_hash', () => {
  const hashes = Array.from({ length: 5000 }, (_, n) => (n * 2654435761) >>> 0);

  it('sends a hash to the same endpoint, whatever the order of the list', () => {
    const among = hosts(1, 1, 1, 1);
    const one = loadBalancers.ring_hash(among, seeded(1));
    const two = loadBalancers.ring_hash([...among].reverse(), seeded(2));
    for (const hash of hashes) expect(two.pick({ hash, usable: all })).toBe(one.pick({ hash, usable: all }));
  });

  it('moves only the share of an endpoint that goes', () => {
    const among = hosts(1, 1, 1, 1);
    const before = loadBalancers.ring_hash(among, seeded(1));
    const after = loadBalancers.ring_hash(among.slice(1), seeded(1));
    for (const hash of hashes) {
      const was = before.pick({ hash, usable: all });
      if (was !== among[0]) expect(after.pick({ hash, usable: all })).toBe(was);
    }
  });

  it('sends the hashes of an unusable endpoint to the next on the ring, and the others nowhere else', () => {
    const among = hosts(1, 1, 1);
    const balancer = loadBalancers.ring_hash(among, seeded(1));
    for (const hash of hashes) {
      const was = balancer.pick({ hash, usable: all });
      const now = balancer.pick({ hash, usable: (host) => host !== among[0] });
      if (was === among[0]) expect(now).not.toBe(among[0]);
      else expect(now).toBe(was);
    }
  });
});
