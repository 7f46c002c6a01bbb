import { describe, expect, it } from 'vitest';
import { judgeAnswer, pause } from '../../../../src/metrics/push/judge-answer.ts';

const now = Date.parse('2026-01-01T00:00:00Z');

describe('what becomes of a push', () => {
  it.each([
    [204, '5', true, 'delivered'],
    [200, '0', true, 'delivered'],
    [204, undefined, true, 'downgrade'],
    [204, undefined, false, 'delivered'],
  ])('%i, of which %s samples were written, downgrade %s: %s', (status, written, mayDowngrade, kind) => {
    expect(judgeAnswer({ status, written, retryAfter: undefined }, now, mayDowngrade)).toEqual({ kind });
  });

  it.each<[status: number, retryAfter: string | undefined, mayDowngrade: boolean, verdict: object]>([
    [400, undefined, true, { kind: 'drop' }],
    [401, undefined, true, { kind: 'drop' }],
    [302, undefined, true, { kind: 'drop' }],
    [415, undefined, true, { kind: 'downgrade' }],
    [415, undefined, false, { kind: 'drop' }],
    [408, undefined, true, { kind: 'retry' }],
    [429, '7', true, { kind: 'retry', after: 7000 }],
    [503, 'Thu, 01 Jan 2026 00:00:30 GMT', true, { kind: 'retry', after: 30_000 }],
    [503, 'Wed, 31 Dec 2025 00:00:00 GMT', true, { kind: 'retry', after: 0 }],
    [500, 'soon', true, { kind: 'retry', after: undefined }],
  ])('%i, Retry-After %s, downgrade %s', (status, retryAfter, mayDowngrade, verdict) => {
    expect(judgeAnswer({ status, retryAfter, written: undefined }, now, mayDowngrade)).toMatchObject(verdict);
  });

  it.each([
    ['half to all of the first pause', 1, undefined, 0, 500],
    ['half to all of the first pause', 1, undefined, 1, 1000],
    ['twice as long each time', 4, undefined, 1, 8000],
    ['never longer than allowed', 1000, undefined, 1, 60_000],
    ['as long as the receiver asks', 1, 20_000, 0, 20_000],
    ['not as long as the receiver asks when that is too long', 1, 1e9, 0, 60_000],
  ])('pauses %s', (_what, failures, after, random, expected) => {
    expect(pause(failures, after, { min_backoff: 1000, max_backoff: 60_000 }, random)).toBe(expected);
  });
});
