import { describe, expect, it } from 'vitest';
import { findInJson, parseJsonPath } from '../../../../src/metrics/derived/json-path.ts';

const document = {
  queue: { depth: 3 },
  queues: [{ name: 'a', depth: 1 }, { name: 'b', depth: 2 }, null, 5],
  pools: { main: { 'in use': 7 }, side: { 'in use': 8 } },
  'odd.key': [10, 20],
};

describe('a path into JSON', () => {
  it.each<[path: string, found: unknown[]]>([
    ['queue.depth', [3]],
    ['$.queue.depth', [3]],
    ['$["queue"][\'depth\']', [3]],
    ['$.queues[*].depth', [1, 2]],
    ['queues[1].name', ['b']],
    ['queues[9].name', []],
    ['pools.*["in use"]', [7, 8]],
    ['$["odd.key"][1]', [20]],
    ['queue.depth.deeper', []],
    ['constructor', []],
    ['__proto__.x', []],
  ])('%s', (path, found) => {
    expect(findInJson(document, parseJsonPath(path)!, 100).map(({ value }) => value)).toEqual(found);
  });

  it.each(['', '$', '.', 'a..b', 'a[', 'a[b]', 'a[-1]', '$..a', 'a b', `a${'.b'.repeat(32)}`])('%j is none', (text) => {
    expect(parseJsonPath(text)).toBeUndefined();
  });

  it('stops when there is more than was asked for', () => {
    const many = Array.from({ length: 100_000 }, () => ({ x: [1, 2, 3] }));
    expect(findInJson(many, parseJsonPath('$[*].x[*]')!, 10).length).toBeLessThanOrEqual(14);
  });
});
