import { describe, expect, it } from 'vitest';
import { parseAll } from '../../../support/parse-exposition.ts';
import { renderedText } from '../../../support/rendered.ts';

/** Series and values, a line each, as they were understood. */
function samplesOf(text: string | Buffer, options = {}): string[] {
  return parseAll('text', text, options).families.flatMap(({ samples }) =>
    samples.map(({ name, labels, value, timestamp }) =>
      [name, JSON.stringify(labels), value, ...(timestamp === undefined ? [] : [timestamp])].join(' '),
    ),
  );
}

describe('the text format', () => {
  it.each([
    ['no labels', 'a 1\n', 'a [] 1'],
    ['empty braces', 'a{} 1\n', 'a [] 1'],
    ['labels', 'a{b="c",d="e"} 1\n', 'a ["b","c","d","e"] 1'],
    ['a comma after the last label', 'a{b="c",} 1\n', 'a ["b","c"] 1'],
    ['blanks everywhere', ' a { b = "c" , d = "e" , }  1  \n', 'a ["b","c","d","e"] 1'],
    ['tabs', 'a\t{\tb="c"\t}\t1\t1000\t\n', 'a ["b","c"] 1 1'],
    ['CRLF', 'a 1\r\nb 2\r\n', 'a [] 1\nb [] 2'],
    ['a byte order mark', '\ufeffa 1\n', 'a [] 1'],
    ['no line feed at the end', 'a 1\nb 2', 'a [] 1\nb [] 2'],
    ['nothing', '', ''],
    ['empty lines and comments', '\n\n# hello\n#\n# TYPES a x\na 1\n', 'a [] 1'],
    ['escapes', 'a{b="\\\\ \\" \\n \\z"} 1\n', 'a ["b","\\\\ \\" \\n \\\\z"] 1'],
    ['braces and commas in values', 'a{b="},{\\"",c="#"} 1\n', 'a ["b","},{\\"","c","#"] 1'],
    ['a UTF-8 value', 'a{b="é世🦀"} 1\n', 'a ["b","é世🦀"] 1'],
    ['a quoted name', '{"my.metric"} 1\n', 'my.metric [] 1'],
    ['quoted names of labels', '{"my.metric","my.label"="x",b="y"} 1\n', 'my.metric ["my.label","x","b","y"] 1'],
    ['a quoted name of a label behind a bare name', 'a{"my.label"="x"} 1\n', 'a ["my.label","x"] 1'],
    ['a colon', 'job:rate:5m 1\n', 'job:rate:5m [] 1'],
    ['a time stamp', 'a 1 1395066363000\n', 'a [] 1 1395066363'],
    ['a time stamp with milliseconds', 'a 1 1395066363042\n', 'a [] 1 1395066363.042'],
  ])('reads %s', (_, text, expected) => {
    expect(samplesOf(text, { invalidLines: 'refuse' }).join('\n')).toBe(expected);
  });

  it.each([
    '+Inf',
    '-Inf',
    'Inf',
    'NaN',
    'nan',
    '-0',
    '1e-320',
    '9223372036854775808',
    '0.10',
    '1.',
    '.5',
    '1E5',
    '+3',
    '00012',
    '1e-999',
  ])('passes the number %s as it was written', (token) => {
    expect(renderedText(parseAll('text', `a ${token}\n`).families)).toBe(`# TYPE a untyped\na ${token}\n`);
  });

  it.each([
    ['no value', 'a\n', 'has no value'],
    ['no value after labels', 'a{b="c"}\n', 'has no value'],
    ['a word', 'a one\n', '"one" is not a number'],
    ['hexadecimal', 'a 0x10\n', 'not a number'],
    ['a hexadecimal float', 'a 0x1p-3\n', 'not a number'],
    ['underscores', 'a 1_000\n', 'not a number'],
    ['a number that no float holds', 'a 1e999\n', 'not a number'],
    ['an empty name', '{} 1\n', 'has no metric name'],
    ['a name that begins with a digit', '0a 1\n', '"0a" is not a metric name'],
    ['a hyphen', 'a-b 1\n', 'not a metric name'],
    ['two names', 'a{"b"} 1\n', 'has two metric names'],
    ['a quoted name behind a label', '{a="b","c"} 1\n', 'has no ='],
    ['a label without value', 'a{b} 1\n', 'has no ='],
    ['a value without quotation marks', 'a{b=c} 1\n', 'not in quotation marks'],
    ['a quotation mark that is not closed', 'a{b="c} 1\n', 'not closed'],
    ['a brace that is not closed', 'a{b="c" 1\n', 'not closed'],
    ['two commas', 'a{b="c",,d="e"} 1\n', 'label name was expected'],
    ['no comma', 'a{b="c" d="e"} 1\n', 'comma was expected'],
    ['a label twice', 'a{b="c",b="d"} 1\n', 'has label b twice'],
    ['__name__', 'a{__name__="b"} 1\n', 'has __name__ as a label'],
    ['a time stamp with a fraction', 'a 1 1.5\n', 'not a time stamp'],
    ['a time stamp before 1970, for which Prometheus refuses the page', 'a 1 -5\n', 'not a time stamp'],
    ['a time stamp with a sign', 'a 1 +5\n', 'not a time stamp'],
    ['a time stamp beyond 64 bits', 'a 1 9223372036854775808\n', 'not a time stamp'],
    ['something after the time stamp', 'a 1 2 3\n', 'after its time stamp'],
    ['an unknown type', '# TYPE a gauges\n', 'not a type'],
    ['TYPE without a type', '# TYPE a\n', 'not a type'],
    ['TYPE without a name', '# TYPE\n', 'has no metric name'],
    ['TYPE twice', '# TYPE a gauge\n# TYPE a gauge\n', 'second TYPE'],
    ['TYPE after samples', 'a 1\n# TYPE a gauge\n', 'after its samples'],
    ['HELP twice', '# HELP a x\n# HELP a y\n', 'second HELP'],
    ['bytes that are not UTF-8', Buffer.from('a{b="\xff"} 1\n', 'latin1'), 'is not UTF-8'],
    ['a line that is too long', `a{b="${'x'.repeat(70_000)}"} 1\n`, 'is longer than 65536 bytes'],
  ])('says what is wrong with %s, and where', (_, text, reason) => {
    const input = Buffer.concat([Buffer.from('ok 1\n'), Buffer.from(text), Buffer.from('ok2 2\n')]);
    expect(() => parseAll('text', input, { invalidLines: 'refuse' })).toThrow(reason);
    expect(() => parseAll('text', input, { invalidLines: 'refuse' })).toThrow(/^line [23]: /);
    const { faults, firstFault } = parseAll('text', input);
    expect(faults).toBe(1);
    expect(firstFault?.message).toContain(reason);
    expect(samplesOf(input)).toContain('ok2 [] 2');
  });

  it('understands a page the same in chunks of any size', () => {
    const page = '# HELP a é\\n\n# TYPE a counter\na{b="世"} 1 5\r\nbad line\na{b="d"} 2\n{"x.y"} 3';
    const whole = renderedText(parseAll('text', page).families);
    for (const chunk of [1, 2, 3, 5, 7, 11]) {
      const parsed = parseAll('text', page, { chunk });
      expect(renderedText(parsed.families)).toBe(whole);
      expect(parsed.faults).toBe(1);
    }
  });

  it('skips a line that is too long without keeping it, in chunks as well', () => {
    const page = `a 1\nb{c="${'x'.repeat(500)}"} 1\nd 2\n`;
    const parsed = parseAll('text', page, { chunk: 10, maxLineLength: 100 });
    expect(parsed.faults).toBe(1);
    expect(renderedText(parsed.families)).toBe('# TYPE a untyped\na 1\n# TYPE d untyped\nd 2\n');
  });

  it('puts the parts of histograms and summaries into their families, and a family in several pieces together', () => {
    const page =
      '# TYPE h histogram\nh_bucket{le="+Inf"} 1\nx 1\nh_sum 2\n# TYPE s summary\ns_count 1\nh_count 1\ns_bucket 1\n';
    expect(parseAll('text', page).families.map(({ name, type, samples }) => [name, type, samples.length])).toEqual([
      ['h', 'histogram', 3],
      ['x', 'untyped', 1],
      ['s', 'summary', 1],
      ['s_bucket', 'untyped', 1],
    ]);
  });

  it('ends with the sample that is one too many', () => {
    expect(() => parseAll('text', 'a 1\nb 1\nc 1\n', { maxSamples: 2 })).toThrow('has more than 2 samples');
  });
});
