import { describe, expect, it } from 'vitest';
import { endingOf, hintedLook, isSettled, isWorthReading, nextLook } from '../../../../src/logs/input/look.ts';

describe('when a file is looked at next', () => {
  it.each([
    ['one that has just grown, after the shortest time', 'live', 0, 1250],
    ['one that stands still, later', 'live', 10_000, 2000],
    ['one that stands still for long, at the latest', 'live', 1_000_000, 3000],
    ['one that was rotated, after the shortest time, however long it stands still', 'rotated', 1_000_000, 1250],
    ['one that was deleted, too', 'deleted', 1_000_000, 1250],
  ] as const)('%s', (_what, state, still, next) => {
    expect(nextLook({ state, lastLook: 1000, lastGrowth: 1000 - still }, 250)).toBe(next);
  });

  it('is as often as it was asked for, when that is seldom', () => {
    expect(nextLook({ state: 'live', lastLook: 0, lastGrowth: 0 }, 60_000)).toBe(60_000);
  });

  it.each([
    ['soon after a hint, but not at once, so that what is written by then is read together', 5000, 250, 1050],
    ['as planned when that is sooner', 1010, 250, 1010],
    ['after the poll interval when that is shorter', 5000, 20, 1020],
  ])('%s', (_what, planned, poll, next) => {
    expect(hintedLook(planned, 1000, poll)).toBe(next);
  });
});

describe('a file of which all was read', () => {
  const before = { size: 10, changed: 5n, settled: true };

  it.each([
    ['has grown', { size: 11, changed: 5n }, before, 'live', false, true],
    ['is shorter', { size: 9, changed: 5n }, before, 'live', false, true],
    ['was written and is as long as it was', { size: 10, changed: 6n }, before, 'live', false, true],
    ['was changed too lately for its time to be believed', before, { ...before, settled: false }, 'live', false, true],
    ['has a line that waits for its end', before, before, 'live', true, true],
    ['was rotated, so that its end must be found', before, before, 'rotated', false, true],
    ['was deleted, so that its end must be found', before, before, 'deleted', false, true],
    ['is as it was', before, before, 'live', false, false],
  ] as const)('that %s', (_what, seen, known, state, waiting, worth) => {
    expect(isWorthReading(seen, known, state, waiting)).toBe(worth);
  });

  it.each([
    [1100, false],
    [1101, true],
    // The clock was set back.
    [0, false],
  ])('and changed at 1000 ms is settled at %s: %s', (now, settled) => {
    expect(isSettled({ size: 1, changed: 1_000_000_000n }, now)).toBe(settled);
  });
});

it.each([
  ['live', 1_000_000, 'due'],
  ['rotated', 4999, 'due'],
  ['rotated', 5000, 'read'],
  ['deleted', 5000, 'read'],
] as const)('the end of a file that is %s, after %i ms: what waits is %s', (state, still, ending) => {
  expect(endingOf(state, still, 5000)).toBe(ending);
});
