import { describe, expect, it } from 'vitest';
import { BucketTable } from '../../../filters/rate-limit/bucket-table.ts';

const address = (n: number) => `@10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`;

/** Holds a bucket for a key as the limiter does. */
function hold(table: BucketTable, key: string, fullAt: number, now = 0): void {
  const slot = table.find(key);
  if (slot < 0) table.insert(fullAt, now);
  else table.update(slot, fullAt);
}

function heldAt(table: BucketTable, key: string): number | undefined {
  const slot = table.find(key);
  return slot < 0 ? undefined : table.fullAt(slot);
}

/** Slots of a set lie together, 32 numbers apart from those of the next. */
function setOf(key: string, maxKeys: number, seed: number): number {
  const table = new BucketTable(maxKeys, seed);
  hold(table, key, 1);
  return Math.floor(table.find(key) / 32);
}

describe('the table of buckets', () => {
  it('finds what it holds, and nothing else', () => {
    const table = new BucketTable(1000, 42);
    for (let n = 0; n < 1000; n++) hold(table, address(n), n + 1);
    expect(table.size).toBe(1000);
    const found = Array.from({ length: 2000 }, (_, n) => heldAt(table, address(n)));
    expect(found.slice(1000).every((time) => time === undefined)).toBe(true);
    const kept = found.slice(0, 1000).filter((time, n) => time === n + 1).length;
    // A set may be full before the table is; see the class.
    expect(kept).toBe(1000 - table.evicted);
    expect(table.evicted).toBeLessThan(20);
  });

  it('holds a million keys in 32 MB, and half of them again without losing many', () => {
    const table = new BucketTable(1_000_000, 7);
    expect(table.bytes).toBeLessThanOrEqual(32_000_256);
    for (let n = 0; n < 1_000_000; n++) hold(table, address(n), 1000);
    expect(table.evicted).toBeLessThan(10_000);
    expect(table.size).toBe(1_000_000 - table.evicted);
  });

  it('takes no longer for a key or a step of sweeping when a million are held, full or not', () => {
    const table = new BucketTable(1_000_000, 7);
    const longest = (count: number, each: (n: number) => void): number => {
      let most = 0;
      for (let n = 0; n < count; n += 1000) {
        const began = performance.now();
        for (let at = n; at < n + 1000; at++) each(at);
        most = Math.max(most, performance.now() - began);
      }
      return most;
    };
    // A look at all of them for one key would take a thousand times as long.
    expect(longest(1_500_000, (n) => hold(table, address(n), 1_000_000))).toBeLessThan(500);
    expect(longest(100_000, (n) => table.find(address(n)))).toBeLessThan(500);
    const began = performance.now();
    table.sweep(1000, 0.1);
    expect(performance.now() - began).toBeLessThan(500);
  });

  it('never holds more than it may, whatever comes', () => {
    for (const most of [1, 2, 17, 1000]) {
      const table = new BucketTable(most, 3);
      for (let n = 0; n < 20 * most; n++) {
        hold(table, address(n), 1000 + n);
        expect(table.size).toBeLessThanOrEqual(most);
        expect(heldAt(table, address(n))).toBe(1000 + n);
      }
      expect(table.evicted).toBe(20 * most - table.size);
    }
  });

  it('forgets full buckets for free before it evicts any other', () => {
    const table = new BucketTable(1000, 11);
    for (let n = 0; n < 900; n++) hold(table, address(n), 500);
    const before = table.evicted;
    // All of them are full by now.
    for (let n = 900; n < 1500; n++) hold(table, address(n), 2000, 1000);
    expect(table.evicted).toBe(before);
    expect(table.size).toBeLessThanOrEqual(1000);
  });

  it('evicts who is nearest to full, so a limited client stays limited in a flood of others', () => {
    const table = new BucketTable(1000, 5);
    for (let n = 0; n < 50; n++) hold(table, `limited-${n}`, 1_000_000);
    for (let n = 0; n < 100_000; n++) hold(table, address(n), 100 + n / 1000);
    const kept = Array.from({ length: 50 }, (_, n) => heldAt(table, `limited-${n}`)).filter(
      (time) => time === 1_000_000,
    );
    expect(kept).toHaveLength(50);
    expect(table.evicted).toBeGreaterThan(90_000);
  });

  it('does so within a set that is full before the table is', () => {
    const sets = Map.groupBy(
      Array.from({ length: 400 }, (_, n) => address(n)),
      (key) => setOf(key, 32, 5),
    );
    const [limited, ...others] = sets.get(0)!.slice(0, 17);
    const table = new BucketTable(32, 5);
    hold(table, limited!, 1_000_000);
    for (const [n, key] of others.entries()) hold(table, key, n === 7 ? 500 : 1000);
    expect(table.evicted).toBe(1);
    expect(table.size).toBe(16);
    expect(others.filter((key) => heldAt(table, key) === undefined)).toEqual([others[7]]);
    expect(heldAt(table, limited!)).toBe(1_000_000);
  });

  it('sweeps full buckets away, a part of the table at a time', () => {
    const table = new BucketTable(1000, 9);
    for (let n = 0; n < 800; n++) hold(table, address(n), n < 300 ? 10_000 : 100);
    table.sweep(1000, 0.1);
    expect(table.size).toBeLessThan(800);
    expect(table.size).toBeGreaterThan(600);
    for (let n = 0; n < 9; n++) table.sweep(1000, 0.1);
    expect(table.size).toBe(
      300 - Array.from({ length: 300 }, (_, n) => heldAt(table, address(n))).filter((t) => t === undefined).length,
    );
    for (let n = 0; n < 250; n++) table.sweep(20_000, 0.1);
    expect(table.size).toBe(0);
  });

  it('takes hashes from all of a key', () => {
    const table = new BucketTable(10_000, 1);
    const keys = [
      '',
      'a',
      'b',
      'ab',
      'ba',
      'aa',
      'aaa',
      'é',
      '\u0161',
      'x'.repeat(5000),
      'x'.repeat(5001),
      '=1\n@a',
      '=1\n@b',
    ];
    for (const [n, key] of keys.entries()) hold(table, key, n + 1);
    expect(keys.map((key) => heldAt(table, key))).toEqual(keys.map((_, n) => n + 1));
  });

  it('spreads keys differently with every seed', () => {
    const slots = [1, 2, 3].map((seed) => {
      const table = new BucketTable(10_000, seed);
      hold(table, 'key', 1);
      return table.find('key');
    });
    expect(new Set(slots).size).toBe(3);
  });
});
