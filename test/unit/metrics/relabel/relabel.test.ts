import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { relabelRulesSchema } from '../../../../src/metrics/relabel/config.ts';
import { compileRelabel } from '../../../../src/metrics/relabel/relabel.ts';

/** The labels after the rules, or undefined when the series is dropped. */
function relabel(labels: Record<string, string>, rules: unknown[]): Record<string, string> | undefined {
  const map = new Map(Object.entries(labels));
  return compileRelabel(v.parse(relabelRulesSchema, rules))(map) ? Object.fromEntries(map) : undefined;
}

/** Many of them are those of Prometheus, `model/relabel/relabel_test.go`. */
describe('relabelling', () => {
  const abc = { a: 'foo', b: 'bar', c: 'baz' };
  it.each([
    [
      'replaces',
      abc,
      [{ source_labels: ['a'], regex: 'f(.*)', target_label: 'd', separator: ';', replacement: 'ch${1}-ch${1}' }],
      { ...abc, d: 'choo-choo' },
    ],
    [
      'goes on with what the rule before left',
      abc,
      [
        { source_labels: ['a', 'b'], regex: 'f(.*);(.*)r', target_label: 'a', replacement: 'b${1}${2}m' },
        { source_labels: ['c', 'a'], regex: '(b).*b(.*)ba(.*)', target_label: 'd', replacement: '$1$2$2$3' },
      ],
      { a: 'boobam', b: 'bar', c: 'baz', d: 'boooom' },
    ],
    [
      'drops',
      { a: 'foo' },
      [
        { source_labels: ['a'], regex: '.*o.*', action: 'drop' },
        { source_labels: ['a'], regex: 'f(.*)', target_label: 'd' },
      ],
      undefined,
    ],
    [
      'must match the whole value',
      { a: 'abc' },
      [{ source_labels: ['a'], regex: 'b', target_label: 'd' }],
      { a: 'abc' },
    ],
    [
      'anchors alternatives',
      { a: 'foox' },
      [{ source_labels: ['a'], regex: 'foo|bar', action: 'drop' }],
      { a: 'foox' },
    ],
    ['keeps what matches', { a: 'foo' }, [{ source_labels: ['a'], regex: 'f.*', action: 'keep' }], { a: 'foo' }],
    ['keeps nothing else', { a: 'foo' }, [{ source_labels: ['a'], regex: 'no', action: 'keep' }], undefined],
    [
      'takes what is not there as empty',
      { a: 'foo' },
      [{ source_labels: ['x'], regex: '', action: 'keep' }],
      { a: 'foo' },
    ],
    [
      'deletes a label that becomes empty',
      { a: 'foo', b: 'x' },
      [{ source_labels: ['a'], regex: 'foo', target_label: 'b', replacement: '' }],
      { a: 'foo' },
    ],
    [
      'takes names from groups',
      { a: 'x=y' },
      [{ source_labels: ['a'], regex: '(\\w+)=(\\w+)', target_label: '$1', replacement: '$2' }],
      { a: 'x=y', x: 'y' },
    ],
    [
      'takes groups by name',
      { a: 'foo-1' },
      [{ source_labels: ['a'], regex: '(?P<what>[a-z]+)-.*', target_label: 'd', replacement: '${what}' }],
      { a: 'foo-1', d: 'foo' },
    ],
    [
      'reads $1x as the group 1x, which is empty',
      { a: 'foo' },
      [{ source_labels: ['a'], regex: '(.*)', target_label: 'd', replacement: '-$1x-' }],
      { a: 'foo', d: '--' },
    ],
    [
      'ignores case when told',
      { a: 'FOO' },
      [{ source_labels: ['a'], regex: '(?i)foo', target_label: 'd', replacement: 'y' }],
      { a: 'FOO', d: 'y' },
    ],
    [
      'leaves names alone that no label may have',
      { a: 'b-c' },
      [{ source_labels: ['a'], regex: '(.*)', target_label: '$1', replacement: 'x' }],
      { a: 'b-c' },
    ],
    [
      'hashes',
      { c: 'baz' },
      [{ source_labels: ['c'], target_label: 'd', action: 'hashmod', modulus: 1000 }],
      { c: 'baz', d: '976' },
    ],
    [
      'hashes what has a line feed',
      { a: 'foo\nbar' },
      [{ source_labels: ['a'], target_label: 'b', action: 'hashmod', modulus: 1000 }],
      { a: 'foo\nbar', b: '734' },
    ],
    [
      'maps names',
      { a: 'foo', b1: 'bar', b2: 'baz' },
      [{ regex: '(b.*)', replacement: 'bar_${1}', action: 'labelmap' }],
      { a: 'foo', b1: 'bar', b2: 'baz', bar_b1: 'bar', bar_b2: 'baz' },
    ],
    ['drops labels', { a: 'foo', b1: 'bar', b2: 'baz' }, [{ regex: 'b.*', action: 'labeldrop' }], { a: 'foo' }],
    [
      'keeps labels',
      { a: 'foo', b1: 'bar', b2: 'baz' },
      [{ regex: 'b.*', action: 'labelkeep' }],
      { b1: 'bar', b2: 'baz' },
    ],
    [
      'lower',
      { foo: 'bAr123Foo' },
      [{ source_labels: ['foo'], target_label: 'low', action: 'lowercase' }],
      { foo: 'bAr123Foo', low: 'bar123foo' },
    ],
    [
      'upper',
      { foo: 'bAr123Foo' },
      [{ source_labels: ['foo'], target_label: 'up', action: 'uppercase' }],
      { foo: 'bAr123Foo', up: 'BAR123FOO' },
    ],
    [
      'keepequal keeps',
      { a: '1', b: '1' },
      [{ source_labels: ['a'], target_label: 'b', action: 'keepequal' }],
      { a: '1', b: '1' },
    ],
    [
      'keepequal drops',
      { a: '1', b: '2' },
      [{ source_labels: ['a'], target_label: 'b', action: 'keepequal' }],
      undefined,
    ],
    [
      'dropequal drops',
      { a: '1', b: '1' },
      [{ source_labels: ['a'], target_label: 'b', action: 'dropequal' }],
      undefined,
    ],
    [
      'dropequal keeps',
      { a: '1', b: '2' },
      [{ source_labels: ['a'], target_label: 'b', action: 'dropequal' }],
      { a: '1', b: '2' },
    ],
    [
      'renames metrics',
      { __name__: 'old_total' },
      [{ source_labels: ['__name__'], regex: 'old_(.*)', target_label: '__name__', replacement: 'new_$1' }],
      { __name__: 'new_total' },
    ],
  ])('%s', (_, labels, rules, expected) => {
    expect(relabel(labels, rules)).toEqual(expected);
  });

  it.each([
    [
      'a regex that could run for ever',
      { source_labels: ['a'], regex: '(a+)+', target_label: 'b' },
      'could take exponential time',
    ],
    ['a regex that is none', { source_labels: ['a'], regex: '(', target_label: 'b' }, 'is not a regular expression'],
    ['no target', { source_labels: ['a'] }, 'needs target_label for the action replace'],
    ['no modulus', { source_labels: ['a'], target_label: 'b', action: 'hashmod' }, 'needs modulus'],
    ['an unknown action', { action: 'replac' }, 'must be one of replace'],
    ['labels for labeldrop', { source_labels: ['a'], regex: 'b', action: 'labeldrop' }, 'source_labels has no meaning'],
  ])('refuses %s', (_, rule, message) => {
    const { issues } = v.safeParse(relabelRulesSchema, [rule]);
    expect(issues?.map((issue) => issue.message).join()).toContain(message);
  });
});
