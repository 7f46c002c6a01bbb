import { describe, expect, test } from 'vitest';
import { UnusedConnections } from '../../../src/cluster/unused-connections.ts';

interface One {
  readonly endpoint: string;
  readonly idleSince: number;
}

function list(...ones: One[]): UnusedConnections<string, One> {
  const unused = new UnusedConnections<string, One>();
  for (const one of ones) unused.add(one);
  return unused;
}

const a1 = { endpoint: 'a', idleSince: 1 };
const b2 = { endpoint: 'b', idleSince: 2 };
const a3 = { endpoint: 'a', idleSince: 3 };
const a4 = { endpoint: 'a', idleSince: 4 };

describe('connections that nobody uses', () => {
  test('the last one of an endpoint is the one that came last', () => {
    const unused = list(a1, b2, a3);
    expect([unused.last('a'), unused.last('b'), unused.last('c')]).toEqual([a3, b2, undefined]);
  });

  test.each([
    { left: [a3, b2], oldest: b2 },
    { left: [a1, b2, a3], oldest: a1 },
    { left: [a4], oldest: a4 },
    { left: [], oldest: undefined },
  ])('the oldest one is that of all endpoints: $oldest', ({ left, oldest }) => {
    expect(list(...left).oldest()).toBe(oldest);
  });

  test('one is removed once, from wherever it stands', () => {
    const unused = list(a1, a3, a4);
    expect([unused.remove(a3), unused.remove(a3), unused.remove(b2)]).toEqual([true, false, false]);
    expect([unused.size, unused.all(), unused.allOf('a')]).toEqual([2, [a1, a4], [a1, a4]]);
  });

  test('what is listed does not change while its connections go', () => {
    const unused = list(a1, a3);
    for (const one of unused.all()) unused.remove(one);
    expect([unused.size, unused.oldest()]).toEqual([0, undefined]);
  });

  test('an endpoint that is gone is forgotten with its last connection only', () => {
    const unused = list(a1, a3);
    unused.tidy('a');
    expect(unused.last('a')).toBe(a3);
    unused.remove(a1);
    unused.remove(a3);
    unused.tidy('a');
    expect(unused.allOf('a')).toEqual([]);
  });
});
