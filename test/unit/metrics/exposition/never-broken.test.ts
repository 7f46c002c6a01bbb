import { describe, expect, it } from 'vitest';
import { escapeFamilies } from '../../../../src/metrics/exposition/escape-families.ts';
import { mergeFamilies } from '../../../../src/metrics/merge-families.ts';
import { parseAll } from '../../../support/parse-exposition.ts';
import { renderedOpenMetrics, renderedText } from '../../../support/rendered.ts';

const text =
  '# HELP a_total x \\\\ y\n# TYPE a_total counter\na_total{b="c",d="e\\"f"} 1 1500\na_total{b="g"} 2\n# TYPE a_created gauge\na_created{b="g"} 3\n' +
  '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n# TYPE s summary\ns{quantile="0.5"} 1\ns_sum 1\ns_count 1\n' +
  '{"x.y","z.w"="1"} 1\nuntyped{le="1"} -1\n# TYPE c counter\nc 5\n# TYPE h_count gauge\nc_total 1\n';
const openMetrics =
  '# TYPE a counter\n# HELP a x\na_total{b="c"} 1 1.5 # {id="x"} 0.5\na_created{b="c"} 1 1.5\n# TYPE i info\ni_info{v="1"} 1\n' +
  '# TYPE st stateset\nst{st="on"} 1\nst{st="off"} 0\n# TYPE g gaugehistogram\ng_bucket{le="+Inf"} 1\ng_gcount 1\ng_gsum 1\n' +
  '# TYPE q_seconds gauge\n# UNIT q_seconds seconds\nq_seconds{x="y"} 1\n# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 2\nh_count 2\nh_sum 3\n# EOF\n';
const pieces = [
  '{',
  '}',
  '"',
  '\\',
  ',',
  '=',
  ' ',
  '\n',
  '#',
  'NaN',
  '-',
  '1e999',
  '_total',
  '_count',
  '# TYPE a gauge\n',
  '\u0000',
  'é',
  '\r',
  '.',
  'a',
  '0',
  '{"',
];

/** A page with a few places changed, by a generator of numbers that a seed begins. */
function spoil(page: string, random: (below: number) => number): string {
  let spoiled = page;
  for (let change = random(4) + 1; change > 0; change--) {
    const at = random(spoiled.length);
    const kind = random(4);
    const piece = pieces[random(pieces.length)]!;
    if (kind === 0) spoiled = spoiled.slice(0, at) + piece + spoiled.slice(at);
    else if (kind === 1) spoiled = spoiled.slice(0, at) + spoiled.slice(at + 1 + random(5));
    else if (kind === 2) spoiled = spoiled.slice(0, at) + piece + spoiled.slice(at + piece.length);
    else spoiled = spoiled.slice(0, at) + spoiled.slice(random(at + 1), at) + spoiled.slice(at);
  }
  return spoiled;
}

describe.each(['text', 'openmetrics'] as const)('a page made of a spoiled one (%s)', (format) => {
  it('is good in both formats, or not made at all', () => {
    let seed = format === 'text' ? 11 : 13;
    const random = (below: number) => ((seed = (seed * 1103515245 + 12345) & 0x7fffffff) >>> 8) % below;
    let made = 0;
    for (let round = 0; round < 4000; round++) {
      const page = spoil(format === 'text' ? text : openMetrics, random);
      let families;
      try {
        ({ families } = mergeFamilies([
          parseAll(format, page).families,
          parseAll('text', 'other 1\na_total{b="g"} 2\n').families,
        ]));
      } catch (error) {
        expect((error as Error).message, JSON.stringify(page)).toContain('cut off');
        continue;
      }
      made++;
      for (const scheme of ['allow-utf-8', 'underscores'] as const) {
        const escaped = escapeFamilies(families, scheme);
        const asText = renderedText(escaped);
        expect(
          () => parseAll('text', asText, { invalidLines: 'refuse' }),
          `${JSON.stringify(page)}\n${asText}`,
        ).not.toThrow();
        expect(asText.match(/^# TYPE \S+/gm)?.length).toBe(new Set(asText.match(/^# TYPE \S+/gm)).size);
        const asOpenMetrics = renderedOpenMetrics(escaped);
        expect(asOpenMetrics.match(/^# EOF$/gm)).toHaveLength(1);
        const { firstFault } = parseAll('openmetrics', asOpenMetrics);
        // What the app says wrongly of a histogram as a whole stays, as do names of families that are parts of others.
        if (firstFault !== undefined) {
          expect(firstFault.message, `${JSON.stringify(page)}\n${asOpenMetrics}`).toMatch(
            /histogram|bucket|le|quantile|count or a sum|shares/,
          );
        }
      }
    }
    expect(made).toBeGreaterThan(1000);
  }, 120_000);
});
