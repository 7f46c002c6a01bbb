import { expect, it } from 'vitest';
import { OverheadBudget } from '../../../src/listener/http2/overhead-budget.ts';

/** How many frames are taken, one each `every` milliseconds, until it is too much; at most 100,000. */
function taken(budget: OverheadBudget, every: number): number {
  for (let count = 0; count < 100_000; count++) if (budget.spend(every * count)) return count;
  return Infinity;
}

it.each([
  ['at once', 0, 0, 1000],
  ['a hundred a second', 10, 0, Infinity],
  ['at once, after streams and content that they may belong to', 0, 500, 1500],
  ['at once, after as much as can be earned', 0, 1_000_000, 10_000],
])('frames that bring nothing: %s', (_, every, earned, count) => {
  const budget = new OverheadBudget(0);
  budget.earn(earned);
  expect(taken(budget, every)).toBe(count);
});

it('two hundred a second are too much in the end', () => {
  const count = taken(new OverheadBudget(0), 5);
  expect(count).toBeGreaterThan(1500);
  expect(count).toBeLessThan(2500);
});
