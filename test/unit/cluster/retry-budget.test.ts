import { expect, it } from 'vitest';
import { RetryBudget } from '../../../src/cluster/retry-budget.ts';

function budgetOf(active: number, config = { budget_percent: 20, min_retry_concurrency: 3 }) {
  const world = { active, now: 0 };
  return {
    world,
    budget: new RetryBudget(
      config,
      () => world.active,
      () => world.now,
    ),
  };
}

it('gives a share of what is under way, and three at least', () => {
  expect([0, 10, 15, 20, 100].map((active) => budgetOf(active).budget.most)).toEqual([3, 3, 3, 4, 20]);
});

it('over time gives a share of all first tries, and three', () => {
  const { budget } = budgetOf(1000);
  let retries = 0;
  for (let n = 0; n < 1000; n++) {
    budget.firstTry();
    const permit = budget.take();
    if (permit === undefined) continue;
    retries++;
    permit.release();
  }
  expect(retries).toBeGreaterThanOrEqual(200);
  expect(retries).toBeLessThanOrEqual(203);
});

it('gives three again after a quiet second', () => {
  const { budget, world } = budgetOf(0);
  const take = () => [1, 2, 3, 4].filter(() => budget.take() !== undefined).length;
  const permits = [budget.take(), budget.take(), budget.take()];
  for (const permit of permits) permit!.release();
  expect(take()).toBe(0);
  world.now = 1001;
  expect(take()).toBe(3);
});

it('gives a place back once', () => {
  const { budget } = budgetOf(0);
  const permit = budget.take()!;
  permit.release();
  permit.release();
  expect(budget.used).toBe(0);
});

it('of nothing gives nothing', () => {
  expect(budgetOf(1000, { budget_percent: 0, min_retry_concurrency: 0 }).budget.take()).toBeUndefined();
});
