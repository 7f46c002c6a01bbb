import { describe, expect, it } from 'vitest';
import { admitWith } from '../../../src/metrics/admit.ts';
import type { LabelClash } from '../../../src/metrics/label-clash.ts';
import type { Relabel } from '../../../src/metrics/relabel/relabel.ts';
import { Series } from '../../../src/metrics/series.ts';
import { SeriesTable } from '../../../src/metrics/series-table.ts';
import { settleNames } from '../../../src/metrics/settle-names.ts';
import { parseAll } from '../../support/parse-exposition.ts';
import { renderedText } from '../../support/rendered.ts';

function admit(added: Record<string, string>, clash: LabelClash = 'rename', relabel?: Relabel, limits = {}) {
  return admitWith({
    added: new Map(Object.entries(added)),
    clash,
    relabel,
    limits: { labels: 10, labelNameLength: 64, labelValueLength: 30, ...limits },
  });
}

describe('added labels', () => {
  it.each<[LabelClash, string]>([
    ['rename', 'a{x="1",exported_pod="app",pod="p"}'],
    ['keep', 'a{pod="app",x="1"}'],
    ['override', 'a{pod="p",x="1"}'],
  ])('%s what the app has', (clash, expected) => {
    expect(admit({ pod: 'p' }, clash)(new Series('a', ['pod', 'app', 'x', '1']))?.text).toBe(expected);
  });

  it('are put where the app’s label is empty', () => {
    expect(admit({ pod: 'p' }, 'keep')(new Series('a', ['pod', '']))?.text).toBe('a{pod="p"}');
  });

  it('rename until the name is free', () => {
    const series = admit({ pod: 'p' })(new Series('a', ['pod', 'app', 'exported_pod', 'other']));
    expect(series?.text).toBe('a{exported_pod="other",exported_exported_pod="app",pod="p"}');
  });

  it('are escaped', () => {
    expect(admit({ v: '\\ " \n' })(new Series('a', []))?.text).toBe('a{v="\\\\ \\" \\n"}');
  });
});

describe('limits of labels', () => {
  it.each([
    ['too many', { labels: 1 }, 'a has 2 labels, more than 1'],
    ['a long name', { labelNameLength: 3 }, 'a has a label name of 4 characters'],
    ['a long value', { labelValueLength: 3 }, 'a has a value of label path of 4 characters'],
  ])('refuse the scrape: %s', (_, limits, message) => {
    expect(() => admit({}, 'rename', undefined, limits)(new Series('a', ['path', 'abcd', 'x', '1']))).toThrow(message);
  });

  it('are looked at after the rules', () => {
    const relabel: Relabel = (labels) => labels.delete('path');
    expect(admit({}, 'rename', relabel, { labels: 1 })(new Series('a', ['path', 'abcd', 'x', '1']))?.text).toBe(
      'a{x="1"}',
    );
  });
});

describe('names that rules change', () => {
  const page =
    '# HELP a_total x\n# TYPE a_total counter\na_total{b="1"} 1\na_total{b="2"} 2\n# TYPE h histogram\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n';
  const renamed = (relabel: Relabel) => {
    const table = new SeriesTable(admit({}, 'rename', relabel));
    return renderedText(settleNames(parseAll('text', page, { table }).families));
  };

  it('move a whole family', () => {
    const relabel: Relabel = (labels) => (labels.set('__name__', `app_${labels.get('__name__')}`), true);
    expect(renamed(relabel)).toBe(
      '# HELP app_a_total x\n# TYPE app_a_total counter\napp_a_total{b="1"} 1\napp_a_total{b="2"} 2\n# TYPE app_h histogram\napp_h_bucket{le="+Inf"} 1\napp_h_sum 1\napp_h_count 1\n',
    );
  });

  it('move one series', () => {
    const relabel: Relabel = (labels) => (labels.get('b') === '2' && labels.set('__name__', 'other_total'), true);
    expect(renamed(relabel)).toContain(
      'a_total{b="1"} 1\n# HELP other_total x\n# TYPE other_total counter\nother_total{b="2"} 2\n',
    );
  });

  it('drop a series that would have none', () => {
    expect(renamed((labels) => labels.delete('__name__'))).toBe('');
  });
});

describe('what is remembered of series', () => {
  it('is asked once for each text, and forgotten when it is scraped no more', () => {
    let asked = 0;
    const table = new SeriesTable((raw) => (asked++, raw));
    const page = (from: number) => Array.from({ length: 3000 }, (_, at) => `a{b="${from + at}"} 1\n`).join('');
    parseAll('text', page(0), { table });
    parseAll('text', page(0), { table });
    expect(asked).toBe(3000);
    for (let scrape = 1; scrape <= 10; scrape++) parseAll('text', page(scrape * 3000), { table });
    expect(table.size).toBeLessThanOrEqual(6000 + 1000);
  });

  it('is written and compared as before', () => {
    const text = 'a{b="1",c="x\\\\y"}';
    const table = new SeriesTable(admit({ pod: 'p' }));
    const [family] = parseAll('text', `${text} 1\n`, { table }).families;
    const [sample] = family!.samples;
    expect(sample!.labels).toEqual(['b', '1', 'c', 'x\\y', 'pod', 'p']);
    expect(sample!.series!.text).toBe('a{b="1",c="x\\\\y",pod="p"}');
    expect(sample!.series!.equals(new Series('a', ['pod', 'p', 'c', 'x\\y', 'b', '1']))).toBe(true);
    expect(sample!.series!.hash).toBe(new Series('a', ['pod', 'p', 'c', 'x\\y', 'b', '1']).hash);
  });
});
