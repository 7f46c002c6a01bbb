import { describe, expect, it } from 'vitest';
import { OverheadBudget, type Traffic } from '../../../src/listener/http2/overhead-budget.ts';

const mebibyte = 1024 * 1024;
const nothing: Traffic = { read: 0, received: 0, sent: 0, streams: 0 };

/** Whether a connection is over its budget after ten seconds of this much traffic a second. */
function overdrawn(each: Partial<Traffic>): boolean {
  const budget = new OverheadBudget(64 * 1024, 0);
  let over = false;
  for (let second = 1; second <= 10; second++) {
    const { read, received, sent, streams } = { ...nothing, ...each };
    over ||= budget.overdrawn(
      { read: read * second, received: received * second, sent: sent * second, streams: streams * second },
      second * 1000,
    );
  }
  return over;
}

describe('the budget for overhead', () => {
  it.each<[string, Partial<Traffic>, boolean]>([
    ['silence', {}, false],
    ['window updates alone', { read: 2 * mebibyte }, true],
    ['a few control frames', { read: mebibyte / 4 }, false],
    ['an upload', { read: 20 * mebibyte, received: 19 * mebibyte }, false],
    ['an upload of one byte a frame', { read: 10 * mebibyte, received: mebibyte }, false],
    ['a download whose every byte is acknowledged', { read: 10 * mebibyte, sent: 10 * mebibyte }, false],
    ['many heads', { read: 3 * mebibyte, streams: 50 }, false],
    ['a few heads and a flood', { read: 3 * mebibyte, streams: 5 }, true],
  ])('%s', (_, each, wanted) => {
    expect(overdrawn(each)).toBe(wanted);
  });

  it('allows a burst, such as content that has not been read yet', () => {
    const budget = new OverheadBudget(0, 0);
    expect(budget.overdrawn({ ...nothing, read: mebibyte }, 1)).toBe(false);
    expect(budget.overdrawn({ ...nothing, read: mebibyte, received: mebibyte }, 2)).toBe(false);
    expect(budget.overdrawn({ ...nothing, read: 2 * mebibyte, received: mebibyte }, 3)).toBe(false);
  });
});
