import { describe, expect, it } from 'vitest';
import { ChunkedDecoder } from '../../../src/http1/index.ts';

function decode(pieces: Buffer[]): string {
  const decoder = new ChunkedDecoder();
  let body = '';
  let ending = '';
  for (const piece of pieces) {
    const fault = decoder.write(piece, {
      data: (chunk) => void (body += chunk.toString('latin1')),
      end: (trailers, rest) =>
        void (ending = `|end ${JSON.stringify(trailers?.flat ?? [])} ${rest.toString('latin1')}`),
    });
    if (fault !== undefined) return `${body}|${fault.details}`;
  }
  return body + ending;
}

describe('a chunked body', () => {
  it.each([
    ['one chunk', '5\r\nhello\r\n0\r\n\r\n', 'hello|end [] '],
    ['upper and lower case sizes', 'A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n', '01234567890123456789|end [] '],
    ['an extension, which is dropped', '5;a="b c"\r\nhello\r\n0;x\r\n\r\n', 'hello|end [] '],
    ['trailers', '0\r\nX-Sum: 1\r\nHost: evil\r\n\r\n', '|end ["X-Sum","1"] '],
    [
      'trailers that speak of the client, which are dropped',
      '0\r\nX-Forwarded-Port: 1\r\nX-Real-IP: 1\r\nVia: 1\r\nForwarded: 1\r\nA: 1\r\n\r\n',
      '|end ["A","1"] ',
    ],
    ['what follows it', '1\r\nZ\r\n0\r\n\r\nGET /', 'Z|end [] GET /'],
    ['leading zeros', '0005\r\nhello\r\n0\r\n\r\n', 'hello|end [] '],
    ['a bare LF after the size', '5\nhello\r\n0\r\n\r\n', '|bare_line_feed'],
    ['a bare CR after the size', '5\rXhello', '|chunk_size_invalid'],
    ['a bare LF after the data', '5\r\nhello\n0\r\n\r\n', 'hello|chunk_not_terminated'],
    ['data longer than its size', '3\r\nhello\r\n0\r\n\r\n', 'hel|chunk_not_terminated'],
    ['a hexadecimal prefix', '0x5\r\nhello\r\n', '|chunk_size_invalid'],
    ['a sign', '+5\r\nhello\r\n', '|chunk_size_invalid'],
    ['an underscore', '1_0\r\n', '|chunk_size_invalid'],
    ['a leading space', ' 5\r\nhello\r\n', '|chunk_size_invalid'],
    ['a trailing space', '5 \r\nhello\r\n', '|chunk_size_invalid'],
    ['what can become no size, without its end', '5X', '|chunk_size_invalid'],
    ['what can become no trailer, without its end', '0\r\nX Y', '|trailer_invalid'],
    ['a trailer line without a colon, without the end of all', '0\r\nX\r\n', '|header_without_colon'],
    ['an empty size', '\r\nhello', '|chunk_size_invalid'],
    ['a size beyond 2^52', '100000000000005\r\n', '|chunk_size_invalid'],
    ['a control byte in an extension', '5;a\x01\r\nhello\r\n', '|chunk_size_invalid'],
    ['a line feed in an extension', '5;a\nb\r\nhello\r\n', '|bare_line_feed'],
    ['a bare LF after the last chunk', '0\r\n\n', '|bare_line_feed'],
    ['a folded trailer', '0\r\nX: 1\r\n 2\r\n\r\n', '|header_folded'],
    ['an unfinished end', '5\r\nhello\r\n0\r\n', 'hello'],
  ])('with %s', (_, text, expected) => {
    expect(decode([Buffer.from(text, 'latin1')])).toBe(expected);
  });

  it('reads the same wherever its bytes are split', () => {
    const bytes = Buffer.from('5;x=1\r\nhello\r\n1\r\n!\r\n0\r\nA: 1\r\nB: 2\r\n\r\n');
    for (let cut = 1; cut < bytes.length; cut++) {
      expect(decode([bytes.subarray(0, cut), bytes.subarray(cut)]), `cut at ${cut}`).toBe(
        'hello!|end ["A","1","B","2"] ',
      );
    }
    expect(decode([...bytes].map((byte) => Buffer.from([byte])))).toBe('hello!|end ["A","1","B","2"] ');
  });

  it('bounds the size line and all extensions together', () => {
    expect(decode([Buffer.from(`5;${'x'.repeat(2000)}`)])).toBe('|chunk_size_line_too_long');
    const many = Array.from({ length: 100 }, () => `1;${'x'.repeat(900)}\r\nZ\r\n`).join('');
    expect(decode([Buffer.from(many)])).toContain('chunk_extensions_too_large');
  });

  it('bounds the trailer section', () => {
    expect(decode([Buffer.from(`0\r\nX: ${'a'.repeat(10_000)}`), Buffer.from('b')])).toBe('|trailers_too_large');
  });
});
