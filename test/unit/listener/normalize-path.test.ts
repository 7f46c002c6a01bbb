import { describe, expect, it } from 'vitest';
import { normalizePath } from '../../../src/listener/normalize-path.ts';

describe('normalizePath makes one spelling of', () => {
  it.each([
    ['/', '/'],
    ['/items?id=7', '/items?id=7'],
    ['/public/../admin', '/admin'],
    ['/public/%2e%2e/admin', '/admin'],
    ['/public/%2E%2e/admin', '/admin'],
    ['/public/.%2e/admin', '/admin'],
    ['//admin', '/admin'],
    ['///admin', '/admin'],
    ['/public//../admin', '/admin'],
    ['/public/x//../../admin', '/admin'],
    ['/public/..', '/'],
    ['/public/.', '/public/'],
    ['/..', '/'],
    ['/.', '/'],
    ['/public/../../../../etc', '/etc'],
    ['/public?../admin', '/public?../admin'],
    ['/public/x/../../admin?x=/public/', '/admin?x=/public/'],
    ['/public;/../admin', '/admin'],
    // Envoy, path_utility_test.cc
    ['/a/b/../c', '/a/c'],
    ['/a/b/./c', '/a/b/c'],
    ['/a/b/../../../../c', '/c'],
    ['/a/b/%2E%2E/c', '/a/c'],
    ['/a////b/c', '/a/b/c'],
    ['/a//b?a=///c', '/a/b?a=///c'],
    // HAProxy, normalize_uri.vtc
    ['///foo///bar///', '/foo/bar/'],
    ['//foo?bar=///', '/foo?bar=///'],
    ['/foo/../../bar/', '/bar/'],
    // Decoded by nobody here, so left for the app that decodes once.
    ['/public/%252e%252e/admin', '/public/%252e%252e/admin'],
    ['/%61dmin', '/%61dmin'],
    ['/ADMIN', '/ADMIN'],
    ['/caf%C3%A9', '/caf%C3%A9'],
    ['/%C0lan', '/%C0lan'],
    ['/.well-known/x', '/.well-known/x'],
    ['/...', '/...'],
    ['/a;b=c/d', '/a;b=c/d'],
    ['/a[1]{x}|y', '/a[1]{x}|y'],
    ['/?a=%zz%00%2F', '/?a=%zz%00%2F'],
  ])('%s', (target, path) => {
    expect(normalizePath(target, 'reject')).toEqual({ path });
  });
});

describe('normalizePath refuses', () => {
  it.each([
    ['', 'path_not_absolute'],
    ['*', 'path_not_absolute'],
    ['*/test', 'path_not_absolute'],
    ['admin', 'path_not_absolute'],
    ['?', 'path_not_absolute'],
    ['?a=/b', 'path_not_absolute'],
    ['/public/..%2fadmin', 'path_escaped_slash'],
    ['/public/%2e%2e%2fadmin', 'path_escaped_slash'],
    ['/public/..%5cadmin', 'path_escaped_slash'],
    ['/public/..\\admin', 'path_escaped_slash'],
    ['/public\\..\\admin', 'path_escaped_slash'],
    ['/public/..;/admin', 'path_ambiguous_dot_segment'],
    ['/public/..;x=1/admin', 'path_ambiguous_dot_segment'],
    ['/public/%2e%2e%3b/admin', 'path_ambiguous_dot_segment'],
    ['/public/.;/admin', 'path_ambiguous_dot_segment'],
    ['/public/..%00/admin', 'path_nul'],
    ['/public/%00../admin', 'path_nul'],
    ['/admin%00.png', 'path_nul'],
    ['/xyz/AAAAA%%0000/abc', 'path_malformed_percent'],
    ['/public/%c0%ae%c0%ae/admin', 'path_overlong_utf8'],
    ['/public/%c0%af../admin', 'path_overlong_utf8'],
    ['/%E0%80%AF', 'path_overlong_utf8'],
    ['/%F0%80%80%AF', 'path_overlong_utf8'],
    ['/public/%', 'path_malformed_percent'],
    ['/public/%zz', 'path_malformed_percent'],
    ['/foo/bar%1', 'path_malformed_percent'],
    ['/public/#/../admin', 'path_fragment'],
    ['/a?b#c', 'path_fragment'],
    ['/a b', 'path_invalid_character'],
    ['/a\tb', 'path_invalid_character'],
    ['/caf\u00e9', 'path_invalid_character'],
    ['/a?b\u0000', 'path_invalid_character'],
  ])('%s', (target, refused) => {
    expect(normalizePath(target, 'reject')).toEqual({ refused });
  });
});

describe('normalizePath with keep_unchanged', () => {
  it.each([
    ['/a/%2F%2f/c', '/a/%2F%2f/c'],
    ['/%5c%25', '/%5c%25'],
    ['/a/..\\c', '/c'],
    ['/a/..%2fc', '/a/..%2fc'],
  ])('%s → %s', (target, path) => {
    expect(normalizePath(target, 'keep_unchanged')).toEqual({ path });
  });
});
