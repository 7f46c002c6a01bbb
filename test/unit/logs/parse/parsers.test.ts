import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { compileParser } from '../../../../src/logs/parse/compile-parser.ts';
import { parserSchema } from '../../../../src/logs/parse/config.ts';
import { parserTypes } from '../../../../src/logs/parse/parsed.ts';
import { Random } from '../../../support/random.ts';

type Options = v.InferInput<typeof parserSchema>;
const readAt = Date.UTC(2026, 10, 25, 12);

function parse(options: Options, text: string, escaped = false) {
  const { fields, instant, fault } = compileParser(v.parse(parserSchema, options))(text, { readAt, escaped });
  return { fields, at: instant && new Date(instant.time).toISOString(), nanos: instant?.nanos, fault: fault?.reason };
}

const regex: Options = { type: 'regex', pattern: '(?<time>\\S+) (?<level>\\w+) (?<message>.*)' };
const nothing = { at: undefined, nanos: undefined };

describe.each<[string, Options, [string, unknown][]]>([
  [
    'json',
    { type: 'json' },
    [
      ['{"a":1}', { fields: { a: 1 }, ...nothing }],
      [
        '{"ts":1764072000.123456,"msg":"m"}',
        { fields: { message: 'm' }, at: '2025-11-25T12:00:00.123Z', nanos: 456_000 },
      ],
      ['{"time":1764072000123,"level":30}', { fields: { level: 'info' }, at: '2025-11-25T12:00:00.123Z' }],
      ['{"id":1234567890123456789}', { fields: { id: '1234567890123456789' } }],
      ['{"__proto__":{"x":1}}', { fields: JSON.parse('{"__proto__":{"x":1}}') as unknown }],
      ['{"a":1,"a":2}', { fields: { a: 2 } }],
      ['[1]', { fields: { message: '[1]' }, fault: 'JSON, but not an object' }],
      ['{"a":', { fields: { message: '{"a":' }, fault: 'not JSON' }],
      [`${'{"a":'.repeat(100)}1${'}'.repeat(100)}`, { fault: 'more than 32 levels deep' }],
      [`{${Array.from({ length: 2000 }, (_, n) => `"f${n}":1`).join()}}`, { fault: 'more than 1000 fields' }],
    ],
  ],
  [
    'logfmt',
    { type: 'logfmt' },
    [
      [
        'level=error msg="it \\"broke\\"" took=3ms cached',
        { fields: { level: 'error', message: 'it "broke"', took: '3ms', cached: true } },
      ],
      ['time=2026-11-25T10:00:00Z a=b', { fields: { a: 'b' }, at: '2026-11-25T10:00:00.000Z' }],
      ['a="open', { fields: { message: 'a="open' }, fault: 'a quote is not closed' }],
      ['just words', { fields: { message: 'just words' }, fault: 'no key=value' }],
    ],
  ],
  [
    'nginx',
    { type: 'nginx' },
    [
      [
        '203.0.113.9 - frank [10/Oct/2000:13:55:36 -0700] "GET /a?b=c HTTP/1.1" 200 2326 "http://x/" "curl/8"',
        {
          fields: {
            client_address: '203.0.113.9',
            user: 'frank',
            method: 'GET',
            path: '/a?b=c',
            protocol: 'HTTP/1.1',
            status: 200,
            bytes_sent: 2326,
            referer: 'http://x/',
            user_agent: 'curl/8',
          },
          at: '2000-10-10T20:55:36.000Z',
        },
      ],
      [
        '1.1.1.1 - - [10/Oct/2000:13:55:36 +0000] "\\x16\\x03" 400 0',
        { fields: { client_address: '1.1.1.1', request: '\x16\x03', status: 400, bytes_sent: 0 } },
      ],
      ['1.1.1.1 - - [31/Feb/2000:13:55:36 +0000] "GET / HTTP/1.1" 200 0', { fault: 'no such time' }],
      ['hello', { fields: { message: 'hello' }, fault: 'not the combined or common log format' }],
    ],
  ],
  [
    'regex',
    regex,
    [
      [
        '2026-11-25T10:00:00Z WARN it is late',
        { fields: { level: 'warn', message: 'it is late' }, at: '2026-11-25T10:00:00.000Z' },
      ],
      ['soon WARN x', { fields: { time: 'soon', level: 'warn', message: 'x' }, ...nothing }],
      ['nothing', { fields: { message: 'nothing' }, fault: 'the pattern does not match' }],
      ['a '.repeat(4000), { fault: 'longer than 4096 characters' }],
    ],
  ],
  [
    'cri',
    { type: 'cri' },
    [
      ['2026-11-25T10:00:00.000000001Z stdout F hello', { fields: { message: 'hello', stream: 'stdout' }, nanos: 1 }],
      ['2026-11-25T10:00:00Z stderr P half', { fields: { message: 'half', stream: 'stderr', partial: true } }],
      ['hello', { fields: { message: 'hello' }, fault: 'not "time stream tag text"' }],
    ],
  ],
  [
    'auto',
    { type: 'auto' },
    [
      ['{"a":1}', { fields: { a: 1 } }],
      ['level=info msg=x', { fields: { level: 'info', message: 'x' } }],
      ['plain {text} a = b', { fields: { message: 'plain {text} a = b' }, fault: undefined }],
      ['{not json', { fields: { message: '{not json' }, fault: undefined }],
    ],
  ],
  ['none', { type: 'none' }, [['{"a":1}', { fields: { message: '{"a":1}' } }]]],
])('%s', (_, options, cases) => {
  it.each(cases)('reads %s', (text, expected) => {
    expect(parse(options, text)).toMatchObject(expected as object);
  });
});

describe('time stamps', () => {
  it.each<[string, Partial<Options> & object, string, string | undefined]>([
    ['a format', { time_format: '%d/%m/%Y %H:%M:%S,%f' }, '24/11/2026 08:01:02,5', '2026-11-24T08:01:02.500Z'],
    [
      'a format with a zone',
      { time_format: '%d/%b/%Y:%H:%M:%S %z' },
      '24/Nov/2026:08:01:02 +0100',
      '2026-11-24T07:01:02.000Z',
    ],
    ['no year', { time_format: '%b %e %H:%M:%S' }, 'Dec 31 23:59:59', '2026-12-31T23:59:59.000Z'],
    ['no zone but a configured one', { time_zone: 'Europe/Berlin' }, '2026-07-01 12:00:00', '2026-07-01T10:00:00.000Z'],
    ['an hour that comes twice', { time_zone: 'Europe/Berlin' }, '2026-10-25T02:30:00', '2026-10-25T01:30:00.000Z'],
    ['an hour that never was', { time_zone: 'Europe/Berlin' }, '2026-03-29T02:30:00', '2026-03-29T01:30:00.000Z'],
    ['a leap second', {}, '2016-12-31T23:59:60Z', '2017-01-01T00:00:00.000Z'],
    ['no day of the calendar', {}, '2026-02-30T00:00:00Z', undefined],
    ['a number of another kind', {}, '12', undefined],
  ])('with %s', (_, options, stamp, expected) => {
    expect(parse({ type: 'json', ...options } as Options, JSON.stringify({ time: stamp })).at).toBe(expected);
  });
});

describe('every parser', () => {
  const parsers = parserTypes.map((type) => [type, type === 'regex' ? regex : { type }] as const);
  const alphabet = [
    '{',
    '}',
    '"',
    '\\',
    'x',
    '=',
    ' ',
    '[',
    ']',
    ':',
    ',',
    '-',
    '0',
    'Z',
    'é',
    '\0',
    '\n',
    '😀',
    'a',
    '\\x',
    '1e9',
    '"a":',
  ];

  it.each(parsers)('%s throws for nothing, and loses no text', (_, options) => {
    const seeded = new Random(20261125);
    const random = () => seeded.below(1000) / 1000;
    const read = compileParser(v.parse(parserSchema, options));
    for (let round = 0; round < 5000; round++) {
      let text = round % 2 === 0 ? '{"a":' : '';
      for (let left = Math.floor(random() * 30); left > 0; left--)
        text += alphabet[Math.floor(random() * alphabet.length)]!;
      const { fields, fault } = read(text, { readAt, escaped: random() < 0.5 });
      if (fault !== undefined) expect(fields['message']).toBe(text);
      expect(() => JSON.stringify(fields)).not.toThrow();
    }
  });
});

describe('the options of parsers', () => {
  it.each([
    [{ type: 'regex', pattern: '(a+)+' }, /exponential/],
    [{ type: 'regex', pattern: '(?<a>.*) (?<b>.*) (?<c>.*) (?<d>.*)' }, /very long: 3 repetitions/],
    [{ type: 'regex', pattern: '.*' }, /named groups/],
    [{ type: 'json', time_zone: 'Mars/Olympus' }, /zone/],
    [{ type: 'json', time_format: '%Q' }, /%Q is not known/],
  ])('%o are refused', (options, complaint) => {
    const result = v.safeParse(parserSchema, options);
    expect(result.issues?.map(({ message }) => message).join('\n')).toMatch(complaint);
  });
});
