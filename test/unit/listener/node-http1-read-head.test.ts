import { describe, expect, it } from 'vitest';
import * as v from 'valibot';
import { admissionPolicy } from '../../../src/listener/admit.ts';
import { parseAuthority } from '../../../src/listener/authority.ts';
import { listenerSchema } from '../../../src/listener/config.ts';
import { readHead } from '../../support/node-http1/read-head.ts';
import { FloodGuard } from '../../../src/listener/http2/flood-guard.ts';

function read(line: string, fields: string[] = ['Host', 't'], config: object = {}) {
  const [method, url, version] = line.split(' ');
  const [major, minor] = (version ?? '1.1').split('.').map(Number);
  const policy = admissionPolicy(v.parse(listenerSchema, { name: 'test', address: '0.0.0.0:0', ...config }));
  return readHead(
    { method: method!, url: url!, major: major!, minor: minor!, rawHeaders: [...fields] },
    { scheme: 'http', peer: '192.0.2.1', localAuthority: '10.0.0.1:80' },
    policy,
  );
}

describe('parseAuthority', () => {
  it.each([
    ['t', 't'],
    ['Example.ORG', 'example.org'],
    ['t.', 't'],
    ['t:80', 't:80'],
    ['t:', 't'],
    ['t:0080', 't:80'],
    ['my_app-1:8080', 'my_app-1:8080'],
    ['[::1]', '[::1]'],
    ['[2001:DB8::1]:443', '[2001:db8::1]:443'],
    ['127.0.0.1:1', '127.0.0.1:1'],
  ])('%s → %s', (text, authority) => expect(parseAuthority(text)).toBe(authority));

  it.each([
    '',
    't, evil',
    't evil',
    'admin@t',
    't/evil',
    't:99999',
    't:0',
    't:80:80',
    '[::1',
    '[::g]',
    '::1',
    't?x',
    't#x',
    '.t',
    '%61',
    'caf\u00e9',
    't\\x',
    'a'.repeat(300),
  ])('refuses %s', (text) => expect(parseAuthority(text)).toBeUndefined());
});

describe('readHead of HTTP/1', () => {
  it.each([
    ['GET / 1.1', [], 400, 'host_missing'],
    ['GET / 1.1', ['Host', 't', 'host', 't'], 400, 'host_repeated'],
    ['GET / 1.1', ['Host', ''], 400, 'host_invalid'],
    ['GET / 0.9', [], 400, 'http_version_not_supported'],
    ['GET / 2.0', ['Host', 't'], 505, 'http_version_not_supported'],
    ['GET * 1.1', ['Host', 't'], 400, 'path_not_absolute'],
    ['GET http://u:p@t/ 1.1', ['Host', 't'], 400, 'request_target_invalid'],
    ['GET gopher://t/ 1.1', ['Host', 't'], 400, 'request_target_invalid'],
    ['GET http:///x 1.1', ['Host', 't'], 400, 'request_target_invalid'],
    ['TRACE / 1.1', ['Host', 't'], 405, 'method_not_allowed'],
    ['POST / 1.1', ['Host', 't', 'Transfer-Encoding', 'gzip, chunked'], 400, 'transfer_encoding_not_supported'],
    ['POST / 1.1', ['Host', 't', 'Transfer-Encoding', '\u000bchunked'], 400, 'transfer_encoding_not_supported'],
    [
      'POST / 1.1',
      ['Host', 't', 'Transfer-Encoding', 'chunked', 'Transfer-Encoding', 'chunked'],
      400,
      'transfer_encoding_repeated',
    ],
    [
      'POST / 1.1',
      ['Host', 't', 'Transfer-Encoding', 'chunked', 'Content-Length', '1'],
      400,
      'content_length_with_transfer_encoding',
    ],
    ['POST / 1.0', ['Host', 't', 'Transfer-Encoding', 'chunked'], 400, 'transfer_encoding_in_http10'],
    ['POST / 1.1', ['Host', 't', 'Content-Length', '+1'], 400, 'content_length_invalid'],
    ['POST / 1.1', ['Host', 't', 'Content-Length', '99999999999999999999'], 400, 'content_length_invalid'],
    ['GET / 1.1', ['Host', 't', 'Expect', 'x 100-continue'], 417, 'expectation_not_supported'],
    ['GET / 1.1', ['Host', 't', 'X_User', '1'], 400, 'header_with_underscore'],
    ['GET / 1.1', ['Host', 't', 'Via', '1.1 portico, '.repeat(8)], 508, 'request_loop'],
  ])('refuses %s with %j', (line, fields, status, details) => {
    expect(read(line, fields).refused).toMatchObject({ status, local: { details } });
  });

  it('refuses targets, lines and bodies above their limits', () => {
    expect(read(`GET /${'a'.repeat(8192)} 1.1`).refused).toMatchObject({ status: 414, local: { flag: 'LL' } });
    expect(read(`GET /${'a'.repeat(8000)} 1.1`).refused).toBeUndefined();
    const lines = (count: number) => ['Host', 't', ...Array.from({ length: count - 1 }, () => ['a', 'b']).flat()];
    expect(read('GET / 1.1', lines(101)).refused).toMatchObject({ status: 431 });
    expect(read('GET / 1.1', lines(100)).refused).toBeUndefined();
    expect(read('POST / 1.1', ['Host', 't', 'Content-Length', '11'], { max_body_bytes: 10 }).refused).toMatchObject({
      status: 413,
    });
  });

  it('takes the authority from an absolute target and answers one for HTTP/1.0 without Host', () => {
    expect(read('GET HTTP://Evil.example?x=1 1.1', ['Host', 't'])).toMatchObject({
      authority: 'evil.example',
      path: '/?x=1',
      refused: undefined,
    });
    expect(read('GET / 1.0', [])).toMatchObject({ authority: '10.0.0.1:80', refused: undefined });
    expect(read('OPTIONS * 1.1').refused).toMatchObject({ status: 204, local: { details: 'options_of_the_server' } });
  });

  it('drops or allows underscores as configured', () => {
    const fields = ['Host', 't', 'X_User', '1'];
    expect(read('GET / 1.1', fields, { headers_with_underscores_action: 'drop' }).headers.has('x_user')).toBe(false);
    expect(read('GET / 1.1', fields, { headers_with_underscores_action: 'allow' }).headers.has('x_user')).toBe(true);
  });

  it('counts Max-Forwards of OPTIONS down and answers at zero', () => {
    expect(read('OPTIONS / 1.1', ['Host', 't', 'Max-Forwards', '2']).headers.get('max-forwards')).toBe('1');
    expect(read('OPTIONS / 1.1', ['Host', 't', 'Max-Forwards', '0']).refused).toMatchObject({ status: 200 });
  });

  it('nominating framing, host or forwarded fields in Connection removes none of them', () => {
    const { headers, framing } = read('POST / 1.1', [
      'Host',
      't',
      'Connection',
      'content-length, host, x-forwarded-for, authorization',
      'Content-Length',
      '5',
      'Authorization',
      'x',
    ]);
    expect(framing).toEqual({ kind: 'length', length: 5 });
    expect(headers.get('x-forwarded-for')).toBe('192.0.2.1');
    expect(headers.get('authorization')).toBe('x');
  });
});

describe('FloodGuard', () => {
  it('allows so many in a window, and again in the next', () => {
    const guard = new FloodGuard(2, 100);
    expect([0, 1, 2].map((now) => guard.spend(now))).toEqual([false, false, true]);
    expect(guard.spend(100)).toBe(false);
  });
});
