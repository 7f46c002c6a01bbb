import { describe, expect, it } from 'vitest';
import { parseStrictJson } from '../../../../filters/jwt-auth/strict-json.ts';

describe('parseStrictJson', () => {
  const cases: [text: string, accepted: boolean][] = [
    ['{}', true],
    [' { "a" : [ 1 , { "a" : "a" } ] , "b" : {"a":1} } ', true],
    ['{"a":"b","c":"a"}', true],
    ['{"a":["a","a"],"b":"a"}', true],
    ['{"a":"{\\"a\\":1,\\"a\\":2}"}', true],
    ['{"a":"\\\\","b":1}', true],
    ['{"a":{"x":1},"b":{"x":1}}', true],
    ['{"a":1,"a":1}', false],
    ['{"a":1,"\\u0061":1}', false],
    ['{"a":[{"b":1,"b":1}]}', false],
    ['{"a":[],"a":1}', false],
    ['{"a":{"b":1},"a":1}', false],
    ['{"":1,"":1}', false],
    ['{"a":1,}', false],
    ['{"a":1', false],
    ['{"a', false],
    ['}{', false],
    ['{"\\x":1}', false],
    ['{"a":NaN}', false],
    ['[]', false],
    ['null', false],
    ['"a"', false],
    ['', false],
    ['\ufeff{}', false],
    [`{"a":${'['.repeat(31)}${']'.repeat(31)}}`, true],
    [`{"a":${'['.repeat(32)}${']'.repeat(32)}}`, false],
    [`{${Array.from({ length: 1000 }, (_, i) => `"k${i}":0`).join()}}`, true],
    [`{${Array.from({ length: 1001 }, (_, i) => `"k${i}":0`).join()}}`, false],
  ];
  it.each(
    cases.map(
      ([text, accepted]) => [text.slice(0, 60), accepted ? 'is accepted' : 'is refused', text, accepted] as const,
    ),
  )('%s %s', (_shown, _verdict, text, accepted) => {
    const parsed = parseStrictJson(Buffer.from(text));
    expect(parsed !== undefined).toBe(accepted);
    if (accepted) expect(parsed).toEqual(JSON.parse(text));
  });

  it('takes the time of one look for a hostile text', () => {
    const hostile = Buffer.from(`{"a":${'[{"b":'.repeat(10_000)}`);
    const began = performance.now();
    expect(parseStrictJson(hostile)).toBeUndefined();
    expect(performance.now() - began).toBeLessThan(50);
  });
});
