import { describe, expect, it } from 'vitest';
import { BucketTable } from '../../../filters/rate-limit/bucket-table.ts';
import { MemoryLimiter } from '../../../filters/rate-limit/memory-limiter.ts';
import { tokenBucket } from '../../../filters/rate-limit/token-bucket.ts';

interface Step {
  /** Milliseconds that pass before the request. */
  readonly after: number;
  /** Tokens left when it passed, `no` when it was refused. */
  readonly gives: number | 'no';
  /** Milliseconds until there is one token more. */
  readonly next: number;
}

const cases: { name: string; limit: [max: number, perFill: number, interval: number]; steps: Step[] }[] = [
  {
    name: 'starts full, and gives the burst at once',
    limit: [3, 1, 1000],
    steps: [
      { after: 0, gives: 2, next: 1000 },
      { after: 0, gives: 1, next: 1000 },
      { after: 0, gives: 0, next: 1000 },
      { after: 0, gives: 'no', next: 1000 },
    ],
  },
  {
    name: 'gives one token back after the time of one',
    limit: [1, 1, 1000],
    steps: [
      { after: 0, gives: 0, next: 1000 },
      { after: 999, gives: 'no', next: 1 },
      { after: 1, gives: 0, next: 1000 },
      { after: 500, gives: 'no', next: 500 },
    ],
  },
  {
    name: 'does not double the burst at the edge of an interval',
    limit: [2, 2, 1000],
    steps: [
      { after: 990, gives: 1, next: 500 },
      { after: 0, gives: 0, next: 500 },
      { after: 20, gives: 'no', next: 480 },
      { after: 480, gives: 0, next: 500 },
      { after: 0, gives: 'no', next: 500 },
    ],
  },
  {
    name: 'lets tokens flow in evenly during the interval',
    limit: [10, 5, 1000],
    steps: [
      ...Array.from({ length: 10 }, (_, n): Step => ({ after: 0, gives: 9 - n, next: 200 })),
      { after: 200, gives: 0, next: 200 },
      { after: 100, gives: 'no', next: 100 },
      { after: 300, gives: 1, next: 200 },
    ],
  },
  {
    name: 'holds no more than its size however long nobody comes',
    limit: [2, 100, 1000],
    steps: [
      { after: 0, gives: 1, next: 10 },
      { after: 3_600_000, gives: 1, next: 10 },
      { after: 0, gives: 0, next: 10 },
      { after: 0, gives: 'no', next: 10 },
    ],
  },
  {
    name: 'does not charge a refused request',
    limit: [1, 1, 100],
    steps: [
      { after: 0, gives: 0, next: 100 },
      { after: 50, gives: 'no', next: 50 },
      { after: 25, gives: 'no', next: 25 },
      { after: 25, gives: 0, next: 100 },
    ],
  },
];

function limiterAt(limit: [number, number, number], clock: { now: number }, maxKeys = 16): MemoryLimiter {
  return new MemoryLimiter(tokenBucket(...limit), new BucketTable(maxKeys, 1), () => clock.now);
}

describe('a token bucket', () => {
  it.each(cases)('$name', ({ limit, steps }) => {
    const clock = { now: 5_000_000 };
    const limiter = limiterAt(limit, clock);
    const seen = steps.map(({ after }): Step => {
      clock.now += after;
      const decision = limiter.take('key');
      const allowed = decision.consumedPoints <= limit[0];
      return { after, gives: allowed ? decision.remainingPoints : 'no', next: Math.round(decision.msBeforeNext) };
    });
    expect(seen).toEqual(steps);
  });

  it.each([
    [1, 1, 3],
    [7, 3, 1000],
    [100, 7, 50],
    [1000, 3, 100_000],
    [999, 1_000_000, 50],
  ])('of %i tokens, %i in %i ms, gives each token of a burst despite fractions', (...limit) => {
    const clock = { now: 123_456_789.123 };
    const limiter = limiterAt(limit, clock);
    let allowed = 0;
    for (let n = 0; n < limit[0] + 10; n++) if (limiter.take('key').consumedPoints <= limit[0]) allowed++;
    expect(allowed).toBe(limit[0]);
  });

  it('is at most half a millisecond early, however slowly its tokens come', () => {
    const clock = { now: 1e9 };
    const limiter = limiterAt([1, 1, 3_600_000], clock);
    limiter.take('key');
    clock.now += 3_600_000 - 0.6;
    expect(limiter.take('key').consumedPoints).toBe(2);
    clock.now += 0.6;
    expect(limiter.take('key').consumedPoints).toBe(1);
  });

  it('over any time lets pass at most its size and what flowed in, and refuses nobody before that', () => {
    const random = mulberry32(20_260_101);
    for (let round = 0; round < 60; round++) {
      const max = 1 + Math.floor(random() * 30);
      const perFill = 1 + Math.floor(random() * 20);
      const interval = 50 + Math.floor(random() * 2000);
      const clock = { now: random() * 1e9 };
      const limiter = limiterAt([max, perFill, interval], clock);
      const passed: number[] = [];
      let tokens = max;
      for (let n = 0; n < 400; n++) {
        // Bursts, steady streams and pauses.
        const step = random() < 0.5 ? 0 : (random() * 4 * interval) / perFill;
        clock.now += step;
        tokens = Math.min(max, tokens + (step * perFill) / interval);
        if (limiter.take('key').consumedPoints <= max) {
          passed.push(clock.now);
          tokens -= 1;
          expect(tokens).toBeGreaterThan(-0.02);
        } else {
          expect(tokens).toBeLessThan(1);
        }
      }
      for (let from = 0; from < passed.length; from++) {
        for (let to = from; to < passed.length; to++) {
          const most = Math.floor(max + ((passed[to]! - passed[from]!) / interval) * perFill + 0.02);
          if (to - from + 1 > most) expect.fail(`${to - from + 1} passed where at most ${most} may`);
        }
      }
    }
  });

  it('lets 600 of a flood pass in ten seconds with a burst of 100 and 50 a second', () => {
    const clock = { now: 0 };
    const limiter = limiterAt([100, 50, 1000], clock);
    let allowed = 0;
    for (; clock.now <= 10_000; clock.now += 1) {
      for (let connection = 0; connection < 4; connection++) if (limiter.take('key').consumedPoints <= 100) allowed++;
    }
    expect(allowed).toBe(600);
  });

  it('says truly when the next token comes', () => {
    const random = mulberry32(7);
    const clock = { now: 1e7 };
    const limiter = limiterAt([5, 7, 1000], clock);
    for (let n = 0; n < 500; n++) {
      const decision = limiter.take('key');
      if (decision.consumedPoints <= 5) continue;
      expect(decision.msBeforeNext).toBeGreaterThan(0);
      const early = random() * decision.msBeforeNext * 0.95;
      clock.now += early;
      expect(limiter.take('key').consumedPoints).toBe(6);
      clock.now += decision.msBeforeNext - early;
      expect(limiter.take('key').consumedPoints).toBe(5);
    }
  });
});

/** A small seeded generator (T. Ettinger, public domain). */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b_79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}
