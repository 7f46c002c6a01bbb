import { describe, expect, it } from 'vitest';
import { ResponsePace } from '../../../src/listener/response-pace.ts';

describe('the pace of a client that reads, at least 100 bytes a second', () => {
  it.each<[string, [now: number, taken: number, waiting: boolean][], boolean]>([
    [
      'is not judged within a minute',
      [
        [0, 0, true],
        [59_999, 0, true],
      ],
      false,
    ],
    [
      'is too slow with less in a minute',
      [
        [0, 0, true],
        [60_000, 5999, true],
      ],
      true,
    ],
    [
      'is right with as much',
      [
        [0, 0, true],
        [60_000, 6000, true],
      ],
      false,
    ],
    [
      'is judged anew in every minute',
      [
        [0, 0, true],
        [60_000, 6000, true],
        [120_000, 11_000, true],
      ],
      true,
    ],
    [
      'does not count before there is something to read',
      [
        [0, 0, false],
        [50_000, 0, true],
        [100_000, 0, true],
      ],
      false,
    ],
    [
      'begins again when all has been read',
      [
        [0, 0, true],
        [50_000, 50, false],
        [60_000, 50, true],
      ],
      false,
    ],
  ])('%s', (_, looks, expected) => {
    const pace = new ResponsePace(100);
    expect(looks.map((look) => pace.tooSlow(...look)).at(-1)).toBe(expected);
  });

  it('is not judged at all at a rate of 0', () => {
    const pace = new ResponsePace(0);
    expect([0, 60_000, 120_000].map((now) => pace.tooSlow(now, 0, true))).toEqual([false, false, false]);
  });
});
