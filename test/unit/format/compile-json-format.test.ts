import { describe, expect, it } from 'vitest';
import { compileJsonFormat, operators, quoteJson, type JsonFormat } from '../../../src/format/index.ts';
import { Headers, noBody } from '../../../src/http/index.ts';
import { makeExchange } from '../../support/filter-harness.ts';

function read(format: JsonFormat, headers: Record<string, string> = {}): unknown {
  const exchange = makeExchange({ path: '/p', headers });
  exchange.response = { status: 200, headers: new Headers(), body: noBody };
  exchange.duration = 3.6;
  const line = compileJsonFormat(format)(exchange);
  expect(line).toMatch(/^[ -~]*$/);
  return JSON.parse(line);
}

describe('compileJsonFormat', () => {
  it.each<[string, JsonFormat, unknown]>([
    ['keeps numbers when the operator is the whole value', { a: '%DURATION%', b: '%RESPONSE_CODE%' }, { a: 4, b: 200 }],
    ['writes text when it is not', { a: '%DURATION%ms' }, { a: '4ms' }],
    ['writes null for unset, - within text', { a: '%REQ(x)%', b: 'x=%REQ(x)%' }, { a: null, b: 'x=-' }],
    [
      'keeps what is not text',
      { a: 1, b: true, c: null, d: 'text', e: '100%%' },
      { a: 1, b: true, c: null, d: 'text', e: '100%' },
    ],
    [
      'goes into objects and lists',
      { a: { b: ['%REQ(:PATH)%', { c: '%PROTOCOL%' }], d: {} } },
      { a: { b: ['/p', { c: 'HTTP/1.1' }], d: {} } },
    ],
    ['quotes keys', { 'a"\n': '%REQ(:PATH)%' }, { 'a"\n': '/p' }],
    ['is content with nothing', {}, {}],
  ])('%s', (_, format, expected) => {
    expect(read(format)).toEqual(expected);
  });

  it('writes one line of ASCII whatever a client sends', () => {
    const rude = 'a"b\\c\r\n{"x":1}\t\0\x1b[2J\x7f\x80\xff\u2028';
    expect(read({ a: '%REQ(x)%', b: 'v=%REQ(x)%' }, { x: rude })).toEqual({ a: rude, b: `v=${rude}` });
  });

  it('names the key whose format is wrong', () => {
    expect(() => compileJsonFormat({ a: { b: ['ok', '%DURATIN%'] } })).toThrow(
      'a.b[1]: unknown operator %DURATIN%; did you mean %DURATION%?',
    );
  });
});

describe('quoteJson', () => {
  it('agrees with JSON for every code unit', () => {
    for (let code = 0; code <= 0xffff; code++) {
      const text = `a${String.fromCharCode(code)}b`;
      const quoted = quoteJson(text);
      if (JSON.parse(quoted) !== text || !/^[ -~]*$/.test(quoted)) expect.fail(`code unit ${code}: ${quoted}`);
    }
  });
});

describe('the table of operators', () => {
  it('has a sentence for each, and each can be compiled', () => {
    for (const [name, operator] of Object.entries(operators)) {
      expect(operator.doc, name).toMatch(/^[A-Z\w].*\.$/s);
      const argument = operator.argument === 'required' ? '(x)' : '';
      expect(() => compileJsonFormat({ a: `%${name}${argument}%` })(makeExchange()), name).not.toThrow();
    }
  });
});
