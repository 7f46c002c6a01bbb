import { describe, expect, it } from 'vitest';
import { belowAnnounced, belowLearned, IdleLimit } from '../../../src/cluster/idle-limit.ts';

function limitOf(own = 4000) {
  const told: [number | undefined, number][] = [];
  const limit = new IdleLimit(own, (appCloses, now) => told.push([appCloses, now]));
  return { limit, told, last: () => told.at(-1)! };
}

it('is what is configured while nothing is known; 0 is no limit', () => {
  expect(limitOf().last()).toEqual([undefined, 4000]);
  expect(limitOf(0).limit.at(0)).toBe(Infinity);
});

it.each([
  [300, 270],
  [1000, 900],
  [5000, 4500],
  [120, 100],
  [60_000, 59_000],
])('an app seen to close after %i ms is trusted for %i ms', (seen, trusted) => {
  expect(belowLearned(seen)).toBe(trusted);
});

it.each([
  [5000, 4000],
  [1000, 500],
  [0, 0],
])('an app that announces %i ms is trusted for %i ms', (announced, trusted) => {
  expect(belowAnnounced(announced)).toBe(trusted);
});

describe('what the app closes', () => {
  it('counts by the smallest age', () => {
    const { limit, last } = limitOf();
    limit.closedByApp(2000, 0);
    limit.closedByApp(1000, 1000);
    limit.closedByApp(3000, 2000);
    expect(last()).toEqual([1000, 900]);
  });

  it('is forgotten after ten minutes', () => {
    const { limit } = limitOf();
    limit.closedByApp(1000, 0);
    expect([limit.at(599_999), limit.at(600_000)]).toEqual([900, 4000]);
  });

  it('is forgotten when connections live longer', () => {
    const { limit } = limitOf();
    limit.closedByApp(500, 0);
    limit.outlived(4000, 1000);
    expect(limit.at(1000)).toBe(4000);
  });

  it('all at once is the end of a process, of which only the oldest says something', () => {
    const { limit } = limitOf();
    for (const age of [150, 3000, 900]) limit.closedByApp(age, 0);
    expect(limit.at(1)).toBe(2700);
  });

  it('just before it refuses connections says nothing, nor what it announced', () => {
    const { limit, last } = limitOf();
    limit.announced(2000, 0);
    limit.closedByApp(1000, 0);
    limit.closedByApp(500, 9000);
    limit.appGone(9500);
    expect(last()).toEqual([1000, 900]);
  });

  it('at once is no idle timer', () => {
    const { limit } = limitOf();
    limit.closedByApp(20, 0);
    expect(limit.at(1)).toBe(4000);
  });
});
