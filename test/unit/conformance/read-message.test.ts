import { describe, expect, it } from 'vitest';
import { readMessageContent, readMessageHead } from '../../../src/conformance/read-message.ts';

const start = 'POST / HTTP/1.1\r\n';

describe('the reader behind the proxy', () => {
  it('reads method, target, fields and framing', () => {
    expect(readMessageHead(`GET /x HTTP/1.1\r\nHost: t\r\nX-A:  b \r\n`)).toMatchObject({
      method: 'GET',
      target: '/x',
      minor: 1,
      fields: [
        ['host', 't'],
        ['x-a', 'b'],
      ],
      framing: { length: 0 },
      oddities: [],
    });
  });

  it.each([
    [
      'Content-Length beside Transfer-Encoding',
      'Content-Length: 1\r\nTransfer-Encoding: chunked\r\n',
      'Content-Length with Transfer-Encoding',
    ],
    ['two lengths', 'Content-Length: 1\r\nContent-Length: 1\r\n', 'more than one Content-Length'],
    ['a list of lengths', 'Content-Length: 1, 1\r\n', 'invalid Content-Length'],
    ['a length with leading zeros', 'Content-Length: 010\r\n', 'Content-Length with leading zeros'],
    ['another coding', 'Transfer-Encoding: xchunked\r\n', 'Transfer-Encoding that is not chunked'],
    ['a length with an underscore', 'Content_Length: 1\r\n', 'content_length'],
    ['two hosts', 'Host: a\r\nHost: b\r\n', 'more than one Host'],
    ['a fold', 'A: b\r\n c: d\r\n', 'folded field'],
    ['a bare line feed', 'A: b\nc: d\r\n', 'bare LF'],
    ['a bare carriage return', 'A: b\rc: d\r\n', 'bare CR'],
    ['NUL', 'A: b\0\r\n', 'NUL'],
    ['a space before the colon', 'A : b\r\n', 'space before a colon'],
    ['no colon', 'A\r\n', 'field without a colon'],
    ['a delimiter in a name', 'A(: b\r\n', 'invalid field name'],
  ])('does not read %s', (_, fields, reason) => {
    expect(readMessageHead(start + fields)).toBe(reason);
  });

  it.each([
    'POST  / HTTP/1.1',
    'POST / HTTP/1.1 ',
    'POST / HTTP/2.0',
    'POST /',
    'PO(T / HTTP/1.1',
    'POST /\n HTTP/1.1',
  ])('does not read the request line %j', (line) => expect(readMessageHead(`${line}\r\n`)).toBe('request line'));

  it('notes a control byte, which everybody reads the same', () => {
    expect(readMessageHead(`${start}A: b\x01\r\n`)).toMatchObject({ oddities: ['control byte in a value'] });
  });

  it.each([
    ['5\r\nhello\r\n0\r\n\r\nrest', 'hello', 'rest', false],
    ['5;a=b\r\nhello\r\n0\r\nA: b\r\n\r\n', 'hello', '', false],
    ['5\r\nhel', 'hel', undefined, false],
    ['5\r\nhello\r\n0\r\n', 'hello', undefined, false],
    ['5\nhello\r\n0\r\n\r\n', '', undefined, true],
    ['5\r\nhello\n0\r\n\r\n', 'hello', undefined, true],
    ['0x5\r\nhello\r\n0\r\n\r\n', '', undefined, true],
    ['0\r\nA : b\r\n\r\n', '', undefined, true],
  ])('reads chunks %j', (text, body, rest, invalid) => {
    const head = readMessageHead(`${start}Transfer-Encoding: chunked\r\n`);
    if (typeof head === 'string') throw new Error(head);
    const content = readMessageContent(head, Buffer.from(text));
    expect([content.body.toString(), content.rest?.toString(), content.invalid]).toEqual([body, rest, invalid]);
  });
});
