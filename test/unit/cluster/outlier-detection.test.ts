import { describe, expect, it } from 'vitest';
import type { OutlierDetectionConfig } from '../../../src/cluster/config.ts';
import { afterInterval, afterResult, noOutlier, type OutlierState } from '../../../src/cluster/outlier-detection.ts';

const config: OutlierDetectionConfig = {
  consecutive_5xx: 3,
  interval: 10_000,
  base_ejection_time: 30_000,
  max_ejection_time: 70_000,
  max_ejection_percent: 10,
};
const among = { total: 5, ejected: 0 };

/** F is a failure, s a success. */
function run(results: string, from: OutlierState = noOutlier, now = 1000, others = among): OutlierState {
  return [...results].reduce((state, result) => afterResult(state, result === 'F', now, others, config), from);
}

describe('consecutive failures', () => {
  it.each([
    ['none', 's', undefined],
    ['fewer than the limit', 'FF', undefined],
    ['as many as the limit', 'FFF', 31_000],
    ['as many, but with a success between', 'FFsF', undefined],
    ['as many after a success', 'FFsFFF', 31_000],
  ])('%s (%s)', (_name, results, until) => {
    expect(run(results).ejectedUntil).toBe(until);
  });

  it('go on during an ejection without making it longer', () => {
    expect(run('FFFFFFFFFF').ejectedUntil).toBe(31_000);
  });
});

describe('an ejection', () => {
  it('ends with the first interval after its time', () => {
    const ejected = run('FFF');
    expect(afterInterval(ejected, 30_999).ejectedUntil).toBe(31_000);
    expect(afterInterval(ejected, 31_000).ejectedUntil).toBeUndefined();
  });

  it('needs the full count of failures again', () => {
    const back = afterInterval(run('FFF'), 31_000);
    expect(run('FF', back).ejectedUntil).toBeUndefined();
    expect(run('FFF', back).ejectedUntil).toBeDefined();
  });

  it('lasts longer each time, up to the limit', () => {
    let state = noOutlier;
    const lengths: number[] = [];
    for (let n = 0; n < 4; n++) {
      state = run('FFF', state, 0);
      lengths.push(state.ejectedUntil!);
      state = afterInterval(state, state.ejectedUntil!);
    }
    expect(lengths).toEqual([30_000, 60_000, 70_000, 70_000]);
  });

  it('is forgotten step by step while the endpoint is well', () => {
    let state = afterInterval(run('FFF', afterInterval(run('FFF', noOutlier, 0), 30_000), 0), 60_000);
    expect(state.multiplier).toBe(2);
    state = afterInterval(state, 70_000);
    expect(run('FFF', state, 0).ejectedUntil).toBe(60_000);
    state = afterInterval(afterInterval(state, 80_000), 90_000);
    expect(run('FFF', state, 0).ejectedUntil).toBe(30_000);
  });
});

describe('how many may be ejected', () => {
  it.each([
    ['the only endpoint: never', 1, 0, 10, false],
    ['one of two: always one', 2, 0, 10, true],
    ['the second of two at 10 %', 2, 1, 10, false],
    ['the second of two at 100 %', 2, 1, 100, true],
    ['the second of twenty at 10 %', 20, 1, 10, true],
    ['the third of twenty at 10 %', 20, 2, 10, false],
    ['nobody at 0 %', 20, 0, 0, false],
  ])('%s', (_name, total, ejected, max_ejection_percent, may) => {
    const state = { ...noOutlier, consecutive: 2 };
    const after = afterResult(state, true, 0, { total, ejected }, { ...config, max_ejection_percent });
    expect(after.ejectedUntil !== undefined).toBe(may);
  });
});
