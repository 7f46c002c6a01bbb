import { describe, expect, it, onTestFinished } from 'vitest';
import type * as v from 'valibot';
import rateLimit from '../../../filters/rate-limit.ts';
import type { FilterPeers } from '../../../src/filter/define-filter.ts';
import { makeExchange, startFilter, TestClock, type ExchangeOptions } from '../../support/filter-harness.ts';

/** Workers whose messages arrive at once, unless they are cut off. */
async function workers(count: number, config: v.InferInput<NonNullable<typeof rateLimit.config>>) {
  const clock = new TestClock();
  const told: unknown[] = [];
  const line = { cut: false };
  const listeners: (((message: unknown) => void) | undefined)[] = [];
  const filters = await Promise.all(
    Array.from({ length: count }, (_, self) => {
      const peers: FilterPeers = {
        tell(message) {
          if (line.cut) return false;
          told.push(message);
          listeners.forEach((hear, other) => other !== self && hear?.(structuredClone(message)));
          return true;
        },
        listen(hear) {
          listeners[self] = hear;
          return () => (listeners[self] = undefined);
        },
      };
      return startFilter(rateLimit, config, { clock, peers });
    }),
  );
  onTestFinished(async () => void (await Promise.all(filters.map((filter) => filter.close()))));
  const passes = (worker: number, exchange: ExchangeOptions = {}) =>
    filters[worker]!.request(makeExchange(exchange)) === undefined;
  return { clock, told, line, listeners, filters, passes };
}

describe('workers that limit together', () => {
  it('know ten milliseconds later what the others have let pass', async () => {
    const { clock, passes } = await workers(2, { max_tokens: 4, fill_interval: '1h' });
    expect([passes(0), passes(0), passes(0)]).toEqual([true, true, true]);
    clock.advance(10);
    expect([passes(1), passes(1)]).toEqual([true, false]);
    clock.advance(10);
    expect(passes(0)).toBe(false);
  });

  it('pay back what they have given too much of', async () => {
    const { clock, passes } = await workers(2, { max_tokens: 2, fill_interval: '1s' });
    // Both see a full bucket: four pass instead of two.
    expect([passes(0), passes(0), passes(1), passes(1)]).toEqual([true, true, true, true]);
    clock.advance(10);
    let passed = 4;
    for (let second = 0; second < 10; second++) {
      clock.advance(1000);
      for (const worker of [0, 1]) {
        if (passes(worker)) passed++;
        clock.advance(10);
      }
    }
    // Two at first, and one in each of ten seconds.
    expect(passed).toBe(12);
  });

  it('keep clients apart, and tell each other many takes in one message', async () => {
    const { clock, told, passes } = await workers(2, { max_tokens: 1, fill_interval: '1h' });
    passes(0, { clientAddress: '192.0.2.1' });
    passes(0, { clientAddress: '192.0.2.2' });
    clock.advance(10);
    expect(told).toHaveLength(1);
    expect(passes(1, { clientAddress: '192.0.2.1' })).toBe(false);
    expect(passes(1, { clientAddress: '192.0.2.3' })).toBe(true);
  });

  it('say nothing of requests that were refused', async () => {
    const { clock, told, passes } = await workers(2, { max_tokens: 1, fill_interval: '1h' });
    passes(0);
    clock.advance(10);
    for (let at = 0; at < 100; at++) passes(0);
    clock.advance(10);
    expect(told).toHaveLength(1);
  });

  it('tell later what they could not tell', async () => {
    const { clock, line, passes } = await workers(2, { max_tokens: 3, fill_interval: '1h' });
    line.cut = true;
    passes(0);
    clock.advance(10);
    line.cut = false;
    passes(0);
    clock.advance(10);
    expect([passes(1), passes(1)]).toEqual([true, false]);
  });

  it('tell long keys by their hash, and at most ten thousand at once', async () => {
    const { clock, told, passes } = await workers(2, { key: 'header:x-key', max_tokens: 1, fill_interval: '1h' });
    const long = { headers: { 'x-key': 'k'.repeat(5000) } };
    passes(0, long);
    clock.advance(10);
    expect(JSON.stringify(told[0]).length).toBeLessThan(200);
    expect(passes(1, long)).toBe(false);
    for (let at = 0; at < 20_000; at++) passes(0, { headers: { 'x-key': `key-${at}` } });
    clock.advance(10);
    expect(told[1]).toHaveLength(2 * 10_000);
  });

  it('hear no more of each other when they are closed', async () => {
    const { filters, listeners } = await workers(2, { max_tokens: 1 });
    await filters[0]!.close();
    expect(listeners[0]).toBeUndefined();
    expect(listeners[1]).toBeDefined();
  });
});
