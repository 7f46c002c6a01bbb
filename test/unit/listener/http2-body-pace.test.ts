import { describe, expect, it } from 'vitest';
import { BodyPace } from '../../../src/listener/http2/body-pace.ts';

const limits = { timeout: 60_000, rate: 240 };

describe('the pace of a request body', () => {
  it.each<[string, [now: number, received: number, held: boolean][], string | undefined]>([
    ['that is over soon is not judged', [[4999, 0, false]], undefined],
    ['of less than the least rate over five seconds is too slow', [[5000, 1199, false]], 'request_body_too_slow'],
    ['of the least rate is right', [[5000, 1200, false]], undefined],
    [
      'counts anew in every window',
      [
        [5000, 5000, false],
        [10_000, 5000, false],
      ],
      'request_body_too_slow',
    ],
    [
      'is excused for the window in which it was held',
      [
        [2000, 0, true],
        [5000, 0, false],
      ],
      undefined,
    ],
    [
      'is not excused for the next one',
      [
        [5000, 0, true],
        [10_000, 0, false],
      ],
      'request_body_too_slow',
    ],
    ['ends with the time for the whole request', [[60_000, 1e9, true]], 'request_timeout'],
  ])('%s', (_, looks, wanted) => {
    const pace = new BodyPace(limits, 0);
    expect(looks.map(([now, received, held]) => pace.fault(now, received, held)).at(-1)).toBe(wanted);
  });

  it('is free when both limits are off', () => {
    const pace = new BodyPace({ timeout: 0, rate: 0 }, 0);
    expect(pace.fault(1e9, 0, false)).toBeUndefined();
    expect(pace.fault(2e9, 0, false)).toBeUndefined();
  });
});
