import { describe, expect, it } from 'vitest';
import { VerifiedTokens } from '../../../../filters/jwt-auth/verified-tokens.ts';

const verified = (key = 'k', until = 100, from = 0) => ({ claims: {}, headers: [], key, from, until });

describe('VerifiedTokens', () => {
  it('makes room also when all tokens were used, by forgetting one of those that came first', () => {
    const tokens = new VerifiedTokens(200, 100);
    for (let n = 0; n < 200; n++) tokens.add(`t${n}`, verified());
    for (let n = 0; n < 200; n++) tokens.get(`t${n}`, 1);
    tokens.add('new', verified());
    expect(tokens.size).toBe(200);
    expect(tokens.get('new', 1)).toBeDefined();
  });

  it('makes room by forgetting a token that was not used', () => {
    const tokens = new VerifiedTokens(2, 100);
    tokens.add('a', verified());
    tokens.add('b', verified());
    expect(tokens.get('a', 1)).toBeDefined();
    tokens.add('c', verified());
    expect(['a', 'b', 'c'].map((token) => tokens.get(token, 1) !== undefined)).toEqual([true, false, true]);
    expect(tokens.size).toBe(2);
  });

  it('gives a token only between its times, and forgets it outside of them', () => {
    const tokens = new VerifiedTokens(10, 100);
    for (const [now, usable] of [
      [49, false],
      [50, true],
      [99, true],
      [100, false],
    ] as const) {
      tokens.add('a', verified('k', 100, 50));
      expect(tokens.get('a', now) !== undefined, String(now)).toBe(usable);
      expect(tokens.size).toBe(usable ? 1 : 0);
    }
  });

  it('forgets the tokens of keys that are not trusted any more', () => {
    const tokens = new VerifiedTokens(10, 100);
    tokens.add('a', verified('old'));
    tokens.add('b', verified('new'));
    tokens.retain((key) => key === 'new');
    expect(tokens.get('a', 1)).toBeUndefined();
    expect(tokens.get('b', 1)).toBeDefined();
  });

  it('keeps no token that is too long, and none at all when told so', () => {
    const short = new VerifiedTokens(10, 3);
    short.add('abcd', verified());
    expect(short.size).toBe(0);
    const none = new VerifiedTokens(0, 100);
    none.add('a', verified());
    expect(none.size).toBe(0);
  });
});
