import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { millisecondsToSeconds, secondsToMilliseconds } from '../../../../src/metrics/exposition/number.ts';
import { parseAll } from '../../../support/parse-exposition.ts';
import { renderedOpenMetrics, renderedText } from '../../../support/rendered.ts';

describe('OpenMetrics → text format', () => {
  it.each([
    [
      'counters keep their samples and are named like them',
      '# TYPE a counter\n# HELP a x\na_total 1\n',
      '# HELP a_total x\n# TYPE a_total counter\na_total 1\n',
    ],
    [
      'the start of a counter is a gauge of its own',
      '# TYPE a counter\na_total 1\na_created 2.5\n',
      '# TYPE a_total counter\na_total 1\n# TYPE a_created gauge\na_created 2.5\n',
    ],
    ['seconds are milliseconds', '# TYPE a gauge\na 1 1.5\n', '# TYPE a gauge\na 1 1500\n'],
    ['a time before 1970 has no place', '# TYPE a gauge\na 1 -1.5\na{b="c"} 2\n', '# TYPE a gauge\na{b="c"} 2\n'],
    ['info is a gauge', '# TYPE a info\na_info{v="1"} 1\n', '# TYPE a_info gauge\na_info{v="1"} 1\n'],
    ['stateset is a gauge', '# TYPE a stateset\na{a="on"} 1\n', '# TYPE a gauge\na{a="on"} 1\n'],
    ['unknown is untyped', '# TYPE a unknown\na 1\n', '# TYPE a untyped\na 1\n'],
    [
      'units and exemplars have no place',
      '# TYPE a_s counter\n# UNIT a_s s\na_s_total 1 # {t="x"} 1\n',
      '# TYPE a_s_total counter\na_s_total 1\n',
    ],
    [
      'a gauge histogram is a histogram whose sum and count are gauges',
      '# TYPE a gaugehistogram\na_bucket{le="+Inf"} 1\na_gcount 1\na_gsum 2\n',
      '# TYPE a histogram\na_bucket{le="+Inf"} 1\n# TYPE a_gcount gauge\na_gcount 1\n# TYPE a_gsum gauge\na_gsum 2\n',
    ],
    [
      'quotation marks in help need no escape',
      '# TYPE a gauge\n# HELP a \\"x\\" \\\\ \\n\na 1\n',
      '# HELP a "x" \\\\ \\n\n# TYPE a gauge\na 1\n',
    ],
  ])('%s', (_, openMetrics, text) => {
    expect(renderedText(parseAll('openmetrics', `${openMetrics}# EOF\n`, { invalidLines: 'refuse' }).families)).toBe(
      text,
    );
  });
});

describe('text format → OpenMetrics', () => {
  it.each([
    [
      'counters are named without _total',
      '# HELP a_total x\n# TYPE a_total counter\na_total 1\n',
      '# TYPE a counter\n# HELP a x\na_total 1\n',
    ],
    ['counters without _total get it', '# TYPE a counter\na{b="c"} 1\n', '# TYPE a counter\na_total{b="c"} 1\n'],
    [
      'a counter whose name is taken is unknown',
      '# TYPE a gauge\na 1\n# TYPE a_total counter\na_total 2\n',
      '# TYPE a gauge\na 1\n# TYPE a_total unknown\na_total 2\n',
    ],
    ['a counter below zero is unknown', '# TYPE a counter\na -1\n', '# TYPE a unknown\na -1\n'],
    [
      'a counter that is no number is unknown',
      '# TYPE a_total counter\na_total NaN\n',
      '# TYPE a_total unknown\na_total NaN\n',
    ],
    ['untyped is unknown', 'a 1\n', '# TYPE a unknown\na 1\n'],
    ['milliseconds are seconds', '# TYPE a gauge\na 1 1500\n', '# TYPE a gauge\na 1 1.5\n'],
    [
      'the start of a counter stands with the counter',
      '# TYPE a_total counter\na_total{x="1"} 1\na_total{x="2"} 2\n# TYPE a_created gauge\na_created{x="1"} 5\na_created{x="2"} 6\n',
      '# TYPE a counter\na_total{x="1"} 1\na_created{x="1"} 5\na_total{x="2"} 2\na_created{x="2"} 6\n',
    ],
    [
      'the samples of one histogram stand together',
      '# TYPE h histogram\nh_bucket{x="1",le="+Inf"} 1\nh_bucket{x="2",le="+Inf"} 2\nh_sum{x="1"} 1\nh_sum{x="2"} 2\nh_count{x="1"} 1\nh_count{x="2"} 2\n',
      '# TYPE h histogram\nh_bucket{x="1",le="+Inf"} 1\nh_sum{x="1"} 1\nh_count{x="1"} 1\nh_bucket{x="2",le="+Inf"} 2\nh_sum{x="2"} 2\nh_count{x="2"} 2\n',
    ],
    [
      'names are quoted where they must be',
      '# HELP "a.b" x\n# TYPE "a.b" gauge\n{"a.b","c.d"="e"} 1\n',
      '# TYPE "a.b" gauge\n# HELP "a.b" x\n{"a.b","c.d"="e"} 1\n',
    ],
  ])('%s', (_, text, openMetrics) => {
    const rendered = renderedOpenMetrics(parseAll('text', text, { invalidLines: 'refuse' }).families);
    expect(rendered).toBe(`${openMetrics}# EOF\n`);
    expect(() => parseAll('openmetrics', rendered, { invalidLines: 'refuse' })).not.toThrow();
  });
});

describe('OpenMetrics → OpenMetrics', () => {
  it('changes nothing', () => {
    const page =
      '# TYPE a_seconds counter\n# UNIT a_seconds seconds\n# HELP a_seconds \\"x\\"\n' +
      'a_seconds_total{b="c"} 1.50 12345678901234567890.1234567890 # {id="\\"x"} 0.5 1.25\na_seconds_created{b="c"} 5 12345678901234567890.1234567890\n' +
      '# TYPE i info\ni_info{v="1"} 1\n# TYPE h histogram\nh_bucket{le="1e-04"} 1\nh_bucket{le="+Inf"} 2\nh_count 2\nh_sum 0.10\n# EOF\n';
    expect(renderedOpenMetrics(parseAll('openmetrics', page, { invalidLines: 'refuse' }).families)).toBe(page);
  });

  const folder = `${process.env['PORTICO_TEST_DATA'] ?? '../shared'}/data/openmetrics`;
  it.skipIf(!existsSync(folder))(
    'what comes of the good cases of prometheus/OpenMetrics is good again (skipped where they are missing)',
    () => {
      const names = readdirSync(folder).filter((name) =>
        readFileSync(`${folder}/${name}/test.json`, 'utf8').includes('"shouldParse": true'),
      );
      expect(names).toHaveLength(44);
      for (const name of names) {
        const { families } = parseAll('openmetrics', readFileSync(`${folder}/${name}/metrics`));
        const again = renderedOpenMetrics(families);
        expect(() => parseAll('openmetrics', again, { invalidLines: 'refuse' }), name).not.toThrow();
        const text = renderedText(families);
        expect(() => parseAll('text', text, { invalidLines: 'refuse' }), name).not.toThrow();
      }
    },
  );
});

describe('time stamps', () => {
  it.each([
    ['0', '0'],
    ['1', '0.001'],
    ['1395066363000', '1395066363'],
    ['1395066363042', '1395066363.042'],
    ['1395066363500', '1395066363.5'],
    ['-3982045', '-3982.045'],
    ['-5', '-0.005'],
  ])('%s ms ↔ %s s', (milliseconds, seconds) => {
    expect(millisecondsToSeconds(milliseconds)).toBe(seconds);
    expect(secondsToMilliseconds(seconds)).toBe(milliseconds);
  });

  it.each([
    ['1.23456', '1234'],
    ['.5', '500'],
    ['1.5e3', '1500000'],
    ['000', '0'],
    ['-0.0001', '0'],
  ])('%s s are %s ms', (seconds, milliseconds) => {
    expect(secondsToMilliseconds(seconds)).toBe(milliseconds);
  });
});
