import { describe, expect, it } from 'vitest';
import { levelOf, type Level } from '../../../src/overload/level.ts';
import { LoopDelay } from '../../../src/overload/loop-delay.ts';
import { connectionsWithin } from '../../../src/overload/file-descriptors.ts';

describe('the level of a value', () => {
  const memory = { shed: 0.92, refuse: 0.95 };
  it.each<[what: string, value: number, before: Level, expected: Level]>([
    ['little is fine', 0.5, 'ok', 'ok'],
    ['just below the threshold is fine', 0.919, 'ok', 'ok'],
    ['the threshold sheds', 0.92, 'ok', 'shed'],
    ['the next one refuses', 0.95, 'ok', 'refuse'],
    ['refusing is reached from shedding', 0.96, 'shed', 'refuse'],
    ['shedding goes on a little below its threshold', 0.9, 'shed', 'shed'],
    ['and ends below that', 0.89, 'shed', 'ok'],
    ['refusing goes on a little below its threshold', 0.93, 'refuse', 'refuse'],
    ['and becomes shedding below that', 0.915, 'refuse', 'shed'],
    ['and may end at once', 0.2, 'refuse', 'ok'],
  ])('%s', (_what, value, before, expected) => {
    expect(levelOf(value, memory, before)).toBe(expected);
  });

  it('is ok for ever without thresholds', () => {
    expect(levelOf(1e15, { shed: Infinity, refuse: Infinity }, 'ok')).toBe('ok');
  });
});

describe('the delay of the event loop', () => {
  it.each<[what: string, times: number[], expected: number]>([
    ['is nothing at first', [0], 0],
    ['is nothing when looks come on time', [0, 250, 500, 750], 0],
    ['is nothing after one long pause', [0, 250, 500, 5500], 0],
    ['is what three looks in a row were late at least', [0, 250, 1100, 2050, 2900], 600],
    ['is nothing again after one look on time', [0, 850, 1700, 2550, 2800], 0],
  ])('%s', (_what, times, expected) => {
    const delay = new LoopDelay(250);
    let last = 0;
    for (const time of times) last = delay.look(time);
    expect(last).toBe(expected);
  });
});

it.each([
  [128, 32],
  [1024, 480],
  [65_536, 32_736],
  [40, 8],
  [Infinity, Infinity],
])('a process that may open %d files takes %d client connections', (limit, connections) => {
  expect(connectionsWithin(limit)).toBe(connections);
});
