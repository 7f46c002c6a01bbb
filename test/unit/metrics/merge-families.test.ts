import { describe, expect, it } from 'vitest';
import { escapeFamilies } from '../../../src/metrics/exposition/escape-families.ts';
import { mergeFamilies } from '../../../src/metrics/merge-families.ts';
import { parseAll } from '../../support/parse-exposition.ts';
import { renderedText } from '../../support/rendered.ts';

function merge(...pages: string[]) {
  const { families, duplicates, conflicts } = mergeFamilies(pages.map((page) => parseAll('text', page).families));
  return { page: renderedText(families), duplicates, conflicts };
}

describe('merging', () => {
  it('writes TYPE and HELP of a family once, and keeps the order', () => {
    expect(
      merge(
        '# HELP b x\n# TYPE b gauge\nb{t="1"} 1\n# TYPE a gauge\na 1\n',
        '# TYPE c gauge\nc 1\n# HELP b y\n# TYPE b gauge\nb{t="2"} 2\n',
      ),
    ).toEqual({
      page: '# HELP b x\n# TYPE b gauge\nb{t="1"} 1\nb{t="2"} 2\n# TYPE a gauge\na 1\n# TYPE c gauge\nc 1\n',
      duplicates: 0,
      conflicts: 0,
    });
  });

  it.each([
    ['the same', 'a{b="1",c="2"} 1\n', 'a{b="1",c="2"} 2\n'],
    ['with labels in another order', 'a{b="1",c="2"} 1\n', 'a{c="2",b="1"} 2\n'],
    ['with an empty label', 'a{b="1"} 1\n', 'a{b="1",c=""} 2\n'],
    ['at the same time', 'a 1 1000\n', 'a 2 1000\n'],
    ['with and without time', 'a 1 1000\n', 'a 2\n'],
  ])('leaves out a series that is there already: %s', (_, one, other) => {
    const { duplicates, page } = merge(one, other);
    expect(duplicates).toBe(1);
    expect(page).toBe(`# TYPE a untyped\n${one}`);
  });

  it('keeps a series with several times', () => {
    expect(merge('a 1 1000\na 2 2000\n').duplicates).toBe(0);
  });

  it('finds two of one series among 20,000 others, and none where there is none', () => {
    const lines = Array.from({ length: 20_000 }, (_, at) => `a{b="${at}",c="${at * 7}"} 1\n`).join('');
    expect(merge(lines).duplicates).toBe(0);
    expect(merge(lines, 'a{c="70",b="10"} 1\n').duplicates).toBe(1);
  });

  it.each([
    ['another type', '# TYPE a gauge\na{x="1"} 1\n', '# TYPE a counter\na{x="2"} 1\n'],
    [
      'a part of a histogram',
      '# TYPE a histogram\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n',
      '# TYPE a_count gauge\na_count{x="2"} 1\n',
    ],
  ])('leaves out and counts a family whose name is taken: %s', (_, one, other) => {
    expect(merge(one, other)).toEqual({ page: one, duplicates: 0, conflicts: 1 });
  });

  it('merges again what escaping made the same', () => {
    const { families } = parseAll(
      'text',
      '# TYPE "a.b" gauge\n{"a.b","x.y"="1"} 1\n# TYPE a_b gauge\na_b{x_y="1"} 2\na_b{x_y="2"} 3\n',
    );
    expect(renderedText(escapeFamilies(families, 'underscores'))).toBe(
      '# TYPE a_b gauge\na_b{x_y="1"} 1\na_b{x_y="2"} 3\n',
    );
    expect(escapeFamilies(families, 'allow-utf-8')).toBe(families);
  });
});
