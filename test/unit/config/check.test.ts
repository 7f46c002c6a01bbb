import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { check, checkExpanded } from '../../../src/config/check.ts';
import { makePlace } from '../../../src/config/place.ts';
import { duration, integer } from '../../../src/options/index.ts';

function told(schema: v.GenericSchema, value: unknown): string[] {
  const { faults = [] } = check(schema, value);
  return faults.map(({ path, message, at }) => `${path.join('.')} (${at}) ${message}`);
}

const shape = v.variant('kind', [
  v.strictObject({ kind: v.literal('circle'), radius: v.number() }),
  v.strictObject({ kind: v.literal('square'), side: v.number(), tilt: v.optional(v.boolean(), false) }),
]);

describe('check', () => {
  const options = v.strictObject({ max_tokens: v.optional(integer(1, 9), 1), name: v.optional(v.string()) });
  it.each<[string, v.GenericSchema, unknown, string[]]>([
    ['a misspelt key', options, { max_token: 1 }, ['max_token (key) unknown option; did you mean max_tokens?']],
    [
      'all unknown keys',
      options,
      { zzzzzz: 1, yyyyyy: 1 },
      [
        'zzzzzz (key) unknown option; known here: max_tokens, name',
        'yyyyyy (key) unknown option; known here: max_tokens, name',
      ],
    ],
    ['a key where there are no options', v.strictObject({}), { a: 1 }, ['a (key) unknown option; there are none here']],
    ['text for a number', options, { max_tokens: '5' }, ['max_tokens (value) must be an integer from 1 to 9, not "5"']],
    ['no value', options, { name: null }, ['name (value) has no value; write one, or delete the line']],
    ['a list for a mapping', options, [], [' (value) must be a mapping of options, not a list']],
    ['a mapping for text', options, { name: {} }, ['name (value) must be text, not a mapping']],
    ['a long value, which is not shown', v.number(), 'x'.repeat(100), [' (value) must be a number']],
    [
      'a missing option',
      v.strictObject({ a: duration() }),
      {},
      ['a (parent) is required; must be a duration such as 250ms, 15s or 10m'],
    ],
    [
      'a misspelt option, which is not missing as well',
      v.strictObject({ address: v.string() }),
      { adress: 'x' },
      ['adress (key) unknown option; did you mean address?'],
    ],
    [
      'a wrong choice',
      v.picklist(['on', 'off']),
      'offf',
      [' (value) must be one of on, off, not "offf"; did you mean off?'],
    ],
    ['the only value there is', v.literal(true), false, [' (value) must be true, not false']],
    [
      'the member of a union that was meant',
      v.union([v.string(), v.strictObject({ min: v.number(), max: v.number() })]),
      { min: 1, max: 'x' },
      ['max (value) must be a number, not "x"'],
    ],
    ['none of a union', v.union([v.string(), v.number()]), true, [' (value) must be text or a number, not true']],
    [
      'a list in a union of others',
      v.union([v.string(), v.strictObject({})]),
      [],
      [' (value) must be text or a mapping of options, not a list'],
    ],
    [
      'an unknown kind',
      shape,
      { kind: 'cirlce' },
      ['kind (value) must be one of circle, square, not "cirlce"; did you mean circle?'],
    ],
    ['no kind', shape, {}, ['kind (parent) is required; must be one of circle, square']],
    ['options of a known kind', shape, { kind: 'square', sid: 1 }, ['sid (key) unknown option; did you mean side?']],
    [
      'an option of another kind',
      shape,
      { kind: 'square', side: 1, radius: 1 },
      ['radius (key) unknown option; known here: kind, side, tilt'],
    ],
    [
      'only the first complaint of a text',
      v.pipe(v.string(), v.minLength(3), v.regex(/^[a-z]+$/)),
      '1',
      [' (value) must have at least 3 entries or characters, not "1"'],
    ],
    [
      'all rules of several options',
      v.pipe(
        v.strictObject({}),
        v.check(() => false, 'must be red'),
        v.check(() => false, 'must be round'),
      ),
      {},
      [' (value) must be red', ' (value) must be round'],
    ],
    [
      'a secret, which is not shown',
      v.strictObject({ password: v.string() }),
      { password: 12345 },
      ['password (value) must be text'],
    ],
  ])('complains of %s', (_, schema, value, expected) => {
    expect(told(schema, value)).toEqual(expected);
  });

  it('survives a schema that throws', () => {
    const schema = v.pipe(
      v.string(),
      v.check((text) => JSON.parse(text) as boolean),
    );
    expect(told(schema, '{')[0]).toContain('cannot be checked');
  });

  it('gives the output', () => {
    expect(check(v.strictObject({ wait: duration() }), { wait: '2s' })).toEqual({ output: { wait: 2000 } });
  });
});

describe('a value that was ${NAME} alone', () => {
  it.each<[string, v.GenericSchema, string, unknown]>([
    ['a number where one is wanted', v.number(), '12', 12],
    ['text where text is wanted', v.string(), '12', '12'],
    ['a switch where one is wanted', v.boolean(), 'TRUE', true],
    ['text where both would do', v.union([v.string(), v.number()]), '12', '12'],
    ['a bounded number', integer(1, 20), '7', 7],
  ])('becomes %s', (_, schema, text, expected) => {
    const place = makePlace(0, undefined);
    place.members.set('a', { ...makePlace(3, 0), written: '${A}' });
    expect(checkExpanded(v.strictObject({ a: schema }), { a: text }, [], place).output).toEqual({ a: expected });
  });

  it('stays text when there was more than the variable', () => {
    const place = makePlace(0, undefined);
    place.members.set('a', { ...makePlace(3, 0), written: '1${A}' });
    expect(checkExpanded(v.strictObject({ a: v.number() }), { a: '12' }, [], place).faults).toHaveLength(1);
  });
});
