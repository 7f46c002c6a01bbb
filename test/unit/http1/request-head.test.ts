import { describe, expect, it } from 'vitest';
import { HeadReader, isWireFault, parseRequestHead, type RequestHead } from '../../../src/http1/index.ts';

const limits = { maxHeadersCount: 100, maxUriBytes: 8192, rejectUnderscores: true };

function parse(text: string): RequestHead | string {
  const head = parseRequestHead(text, limits);
  return isWireFault(head) ? `${head.status} ${head.details}` : head;
}

describe('a request head', () => {
  it('keeps order, case and duplicates of end-to-end fields and takes the others out', () => {
    const head = parse(
      'POST /a?b HTTP/1.1\r\nHost: t\r\nX-B: 1 \r\nContent-Length: 5\r\nx-a:\t2\r\nX-B: 3\r\nTE: trailers\r\n',
    );
    expect(head).toMatchObject({
      method: 'POST',
      target: '/a?b',
      minor: 1,
      fields: {
        host: 't',
        contentLength: 5,
        chunked: false,
        te: 'trailers',
        flat: ['X-B', '1', 'x-a', '2', 'X-B', '3'],
      },
    });
  });

  it('forwards bytes above 127 as they are', () => {
    expect(parse('GET / HTTP/1.1\r\nHost: t\r\nX: caf\xc3\xa9\xff\r\n')).toMatchObject({
      fields: { flat: ['X', 'caf\xc3\xa9\xff'] },
    });
  });

  it('drops fields that Connection names, but never those that identity rests on', () => {
    const head = parse(
      'GET / HTTP/1.1\r\nHost: t\r\nConnection: x-a, authorization, x-forwarded-for, via\r\nX-A: 1\r\nAuthorization: b\r\nX-Forwarded-For: c\r\nVia: d\r\n',
    );
    expect(head).toMatchObject({ fields: { flat: ['Authorization', 'b', 'X-Forwarded-For', 'c', 'Via', 'd'] } });
  });

  it.each([
    ['content-length twice', 'Content-Length: 5\r\nContent-Length: 5\r\n', '400 duplicate_content_length'],
    ['content-length with a sign', 'Content-Length: +5\r\n', '400 content_length_invalid'],
    ['content-length as a list', 'Content-Length: 5, 5\r\n', '400 content_length_invalid'],
    ['content-length with leading zeros', 'Content-Length: 005\r\n', '400 content_length_invalid'],
    ['an empty content-length', 'Content-Length: \r\n', '400 content_length_invalid'],
    ['content-length beyond 2^53', 'Content-Length: 9999999999999999\r\n', '400 content_length_invalid'],
    [
      'both framings',
      'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n',
      '400 content_length_with_transfer_encoding',
    ],
    ['another coding', 'Transfer-Encoding: gzip, chunked\r\n', '400 transfer_encoding_not_chunked'],
    ['a leading comma in the coding', 'Transfer-Encoding: ,chunked\r\n', '400 transfer_encoding_not_chunked'],
    [
      'chunked twice',
      'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n',
      '400 duplicate_transfer_encoding',
    ],
    ['a vertical tab in the coding', 'Transfer-Encoding: \x0bchunked\r\n', '400 header_value_invalid'],
    ['two hosts', 'Host: t\r\n', '400 duplicate_host'],
    ['a space before the colon', 'X : 1\r\n', '400 space_before_colon'],
    ['a folded line', 'X: 1\r\n 2\r\n', '400 header_folded'],
    ['a bare line feed', 'X: 1\nY: 2\r\n', '400 bare_line_feed'],
    ['a bare carriage return', 'X: 1\rY: 2\r\n', '400 header_value_invalid'],
    ['NUL in a value', 'X: a\0b\r\n', '400 header_value_invalid'],
    ['a line without colon', 'X\r\n', '400 header_without_colon'],
    ['an empty name', ': 1\r\n', '400 header_name_empty'],
    ['an underscore', 'Transfer_Encoding: chunked\r\n', '400 header_name_with_underscore'],
    ['too many lines', 'x: 1\r\n'.repeat(101), '431 too_many_headers'],
    ['a bad option in Connection', 'Connection: a b\r\n', '400 connection_option_invalid'],
    ['a no-break space in Connection', 'Connection: \xa0close\r\n', '400 connection_option_invalid'],
  ])('with %s is refused', (_, lines, expected) => {
    expect(parse(`POST / HTTP/1.1\r\nHost: t\r\n${lines}`)).toBe(expected);
  });

  it.each([
    ['GET / HTTP/1.1\r\nHost: t\r\n', undefined],
    ['GET  / HTTP/1.1\r\n', '400 target_invalid'],
    ['GET /\r\n', '400 request_line_invalid'],
    ['GET / http/1.1\r\n', '400 request_line_invalid'],
    ['GET / HTTP/1.1 \r\n', '400 request_line_invalid'],
    ['GET / HTTP/2.0\r\n', '505 http_version_not_supported'],
    ['GET /a b HTTP/1.1\r\n', '400 request_line_invalid'],
    ['GET /a#b HTTP/1.1\r\n', '400 target_with_fragment'],
    ['GET /\xe9 HTTP/1.1\r\n', '400 target_invalid'],
    ['G(T / HTTP/1.1\r\n', '400 method_invalid'],
    [`GET /${'a'.repeat(9000)} HTTP/1.1\r\n`, '414 uri_too_long'],
    ['POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n', '400 transfer_encoding_in_http_1_0'],
  ])('%j → %s', (text, expected) => {
    const result = parse(text);
    expect(typeof result === 'string' ? result : undefined).toBe(expected);
  });
});

describe('reading a head', () => {
  const bytes = Buffer.from('GET / HTTP/1.1\r\nHost: t\r\n\r\nrest');

  it('takes it from one chunk with what follows', () => {
    const read = new HeadReader(1000).read(bytes);
    expect(read).toEqual({ text: 'GET / HTTP/1.1\r\nHost: t\r\n', rest: Buffer.from('rest') });
  });

  it('finds the same head wherever the bytes are split', () => {
    for (let cut = 1; cut < bytes.length - 4; cut++) {
      const reader = new HeadReader(1000);
      expect(reader.read(bytes.subarray(0, cut)), `cut at ${cut}`).toBeUndefined();
      expect(reader.read(bytes.subarray(cut)), `cut at ${cut}`).toEqual({
        text: 'GET / HTTP/1.1\r\nHost: t\r\n',
        rest: Buffer.from('rest'),
      });
    }
  });

  it.each([
    ['skips an empty line before the request', `\r\n${bytes.toString()}`, 'GET / HTTP/1.1\r\nHost: t\r\n'],
    ['refuses many empty lines', '\r\n\r\n\r\n\r\nGET', 'too_many_empty_lines'],
    ['refuses a head that has a bare line feed before its end has come', 'GET / HTTP/1.1\nHost', 'bare_line_feed'],
    ['refuses a head over the limit', `GET / HTTP/1.1\r\nX: ${'a'.repeat(2000)}`, 'header_section_too_large'],
    ['refuses a request that starts with a space', ' GET', 'request_line_invalid'],
  ])('%s', (_, text, expected) => {
    const read = new HeadReader(1000).read(Buffer.from(text));
    expect(read === undefined ? undefined : isWireFault(read) ? read.details : read.text).toBe(expected);
  });
});
