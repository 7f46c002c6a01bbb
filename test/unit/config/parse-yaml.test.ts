import { describe, expect, it } from 'vitest';
import { parseYaml } from '../../../src/config/parse-yaml.ts';
import { nearestPlace } from '../../../src/config/place.ts';

function told(text: string): string[] {
  const { faults, position } = parseYaml(text);
  return faults.map(({ offset, path, message }) => {
    const { line, column } = position(offset);
    return `${line}:${column} ${path.join('.')} ${message}`;
  });
}

describe('parseYaml', () => {
  it.each([
    ['nothing', '', {}],
    ['only comments', '# nothing\n', {}],
    ['an empty document', '---\n...\n', {}],
    ['yes and no, which are text in YAML 1.2', 'a: yes\nb: no\nc: on', { a: 'yes', b: 'no', c: 'on' }],
    ['numbers', 'a: 12\nb: 0x10\nc: 1.5\nd: 012', { a: 12, b: 16, c: 1.5, d: 12 }],
    ['keys that are numbers', '200: ok', { '200': 'ok' }],
    ['dates, which are text', 'a: 2026-01-02', { a: '2026-01-02' }],
    ['carriage returns', 'a: 1\r\nb: 2\r\n', { a: 1, b: 2 }],
    ['core tags', 'a: !!str 1', { a: '1' }],
    ['aliases', 'a: &x [1]\nb: *x', { a: [1], b: [1] }],
    [
      'merge keys, behind what is there',
      'a: &x { p: 1, q: 2 }\nb: { q: 3, <<: *x }',
      { a: { p: 1, q: 2 }, b: { q: 3, p: 1 } },
    ],
    ['a list of merges, the first of which wins', 'a: { <<: [{ p: 1 }, { p: 2, q: 2 }] }', { a: { p: 1, q: 2 } }],
    ['a quoted <<, which is a key', "a: { '<<': 1 }", { a: { '<<': 1 } }],
  ])('reads %s', (_, text, expected) => {
    expect(told(text)).toEqual([]);
    expect(parseYaml(text).data).toEqual(expected);
  });

  it('keeps aliased values apart, so that changing one changes no other', () => {
    const { a, b } = parseYaml('a: &x [1]\nb: *x').data as { a: number[]; b: number[] };
    expect(a).not.toBe(b);
  });

  it.each([
    ['a tab', 'a:\n\tb: 1', ['2:1  a tab, where YAML wants spaces; indent with spaces']],
    ['a duplicate key', 'a: 1\nb: 2\na: 3', ['3:1 a is given a second time, after line 1; keep one']],
    ['a duplicate in another spelling', 'a: 1\n"a": 2', ['2:1 a is given a second time, after line 1; keep one']],
    [
      'a second document',
      'a: 1\n---\nb: 1',
      ['3:1  a second YAML document; write everything in one, without --- between'],
    ],
    ['an own tag', 'a: !x 1', ['1:7 a the tag !x is not supported; write the value without it']],
    ['binary', 'a: !!binary aGk=', ['1:13 a the tag !!binary is not supported; write the value without it']],
    ['an unknown anchor', 'a: *x', ['1:4 a no anchor of the name *x; define it before with &x']],
    ['an anchor in itself', 'a: &x [*x]', ['1:8 a.0 *x contains itself']],
    ['infinity', 'a: .inf', ['1:4 a must be a finite number']],
    ['a NUL', 'a: "\0"', ['1:5  a control character, which YAML does not allow']],
    ['a list as key', '? [a]\n: 1', ['1:3  must have plain text for its keys']],
  ])('complains of %s', (_, text, expected) => {
    expect(told(text)).toEqual(expected);
  });

  it('never sets a prototype', () => {
    expect(told('__proto__: { admin: true }')).toEqual(['1:1  must not have a key of the name __proto__']);
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });

  it('knows where keys and values stand', () => {
    const { root, position } = parseYaml('a:\n  - b: 1\n    c:\n      d: x\n');
    const at = (...path: (string | number)[]) => {
      const { place } = nearestPlace(root, path);
      return [place.keyAt === undefined ? undefined : position(place.keyAt), position(place.at)];
    };
    expect(at('a')).toEqual([
      { line: 1, column: 1 },
      { line: 2, column: 3 },
    ]);
    expect(at('a', 0)).toEqual([undefined, { line: 2, column: 5 }]);
    expect(at('a', 0, 'c', 'd')).toEqual([
      { line: 4, column: 7 },
      { line: 4, column: 10 },
    ]);
    expect(at('a', 0, 'nothing')).toEqual([undefined, { line: 2, column: 5 }]);
  });

  const large = 128 * 1024;
  it.each([
    ['brackets in brackets', '['.repeat(large)],
    ['dashes in dashes', '- '.repeat(large / 2)],
    ['mappings in mappings', Array.from({ length: 1000 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n')],
    ['flow lists 100 deep', `a: ${'['.repeat(100)}${']'.repeat(100)}`],
    [
      'a billion laughs',
      Array.from({ length: 12 }, (_, i) => `a${i}: &a${i} [${`*a${i - 1},`.repeat(i === 0 ? 0 : 9)}x]`).join('\n'),
    ],
    ['a large value many times', `a: &a ${'x'.repeat(large)}\nb: [${'*a,'.repeat(900)}]`],
    ['closing brackets', '}\n'.repeat(large / 2)],
    ['documents', '--- a\n'.repeat(large / 8)],
  ])('refuses %s in reasonable time', (_, text) => {
    const { faults } = parseYaml(text);
    expect(faults.length).toBeGreaterThan(0);
    expect(faults.length).toBeLessThan(20);
  });

  it('reads a mapping of 50,000 keys in reasonable time', () => {
    const started = performance.now();
    const { data } = parseYaml(Array.from({ length: 50_000 }, (_, i) => `key${i}: ${i}`).join('\n'));
    expect(Object.keys(data as object)).toHaveLength(50_000);
    // Comparing every key with every other takes minutes.
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});
