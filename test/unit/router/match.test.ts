import { describe, expect, it } from 'vitest';
import { compileMatch } from '../../../src/router/match.ts';
import { pathOf } from '../../../src/http/index.ts';
import { request, routeConfig, type RequestParts } from './parts.ts';

type MatchInput = NonNullable<Parameters<typeof routeConfig>[0]['match']>;

const cases: [what: string, match: MatchInput, request: RequestParts, matches: boolean][] = [
  ['a prefix takes what begins with it', { prefix: '/api' }, { path: '/apis/x' }, true],
  ['a prefix refuses what does not', { prefix: '/api/' }, { path: '/api' }, false],
  ['a prefix does not look at the query', { prefix: '/api/x' }, { path: '/api?/api/x' }, false],
  ['/ takes everything', { prefix: '/' }, { path: '/' }, true],
  ['/ does not take OPTIONS *', { prefix: '/' }, { method: 'OPTIONS', path: '*' }, false],
  ['* takes OPTIONS *', { path: '*' }, { method: 'OPTIONS', path: '*' }, true],
  ['a path takes itself', { path: '/a/b' }, { path: '/a/b' }, true],
  ['a path takes itself with a query', { path: '/a/b' }, { path: '/a/b?c=d' }, true],
  ['a path refuses a trailing slash', { path: '/a/b' }, { path: '/a/b/' }, false],
  ['case counts', { path: '/a' }, { path: '/A' }, false],
  ['case does not count if told so', { path: '/Ab', case_sensitive: false }, { path: '/aB' }, true],
  ['case does not count in a prefix if told so', { prefix: '/Ab', case_sensitive: false }, { path: '/aBc' }, true],
  [
    'case does not count in a pattern if told so',
    { safe_regex: '/a\\d', case_sensitive: false },
    { path: '/A1' },
    true,
  ],
  ['a separated prefix takes itself', { path_separated_prefix: '/api' }, { path: '/api' }, true],
  ['a separated prefix takes what is below', { path_separated_prefix: '/api' }, { path: '/api/x' }, true],
  ['a separated prefix takes itself with a query', { path_separated_prefix: '/api' }, { path: '/api?x' }, true],
  ['a separated prefix refuses longer words', { path_separated_prefix: '/api' }, { path: '/apis' }, false],
  ['a pattern must match the whole path', { safe_regex: '/a+' }, { path: '/aab' }, false],
  ['a pattern does not see the query', { safe_regex: '/a+' }, { path: '/aa?b' }, true],
  ['a method of the list', { prefix: '/', methods: ['GET', 'put'] }, { method: 'PUT' }, true],
  ['a method that is not in the list', { prefix: '/', methods: ['GET'] }, { method: 'HEAD' }, false],
  ['a header that is there', { prefix: '/', headers: [{ name: 'X-A' }] }, { headers: { 'x-a': '' } }, true],
  ['a header that is missing', { prefix: '/', headers: [{ name: 'x-a' }] }, {}, false],
  ['a header that must be missing and is', { prefix: '/', headers: [{ name: 'x-a', present: false }] }, {}, true],
  [
    'a header that must be missing, said the other way',
    { prefix: '/', headers: [{ name: 'x-a', invert_match: true }] },
    {},
    true,
  ],
  ['an exact header', { prefix: '/', headers: [{ name: 'x-a', exact: 'b' }] }, { headers: { 'X-A': 'b' } }, true],
  [
    'an exact header of two lines',
    { prefix: '/', headers: [{ name: 'x-a', exact: 'b, c' }] },
    { headers: { 'x-a': ['b', 'c'] } },
    true,
  ],
  [
    'a header of another value',
    { prefix: '/', headers: [{ name: 'x-a', exact: 'b' }] },
    { headers: { 'x-a': 'bc' } },
    false,
  ],
  ['a header prefix', { prefix: '/', headers: [{ name: 'x-a', prefix: 'b' }] }, { headers: { 'x-a': 'bc' } }, true],
  ['a header suffix', { prefix: '/', headers: [{ name: 'x-a', suffix: 'c' }] }, { headers: { 'x-a': 'bc' } }, true],
  [
    'a part of a header',
    { prefix: '/', headers: [{ name: 'x-a', contains: 'c' }] },
    { headers: { 'x-a': 'bcd' } },
    true,
  ],
  [
    'a header by pattern, wholly',
    { prefix: '/', headers: [{ name: 'x-a', safe_regex: '\\d' }] },
    { headers: { 'x-a': '12' } },
    false,
  ],
  [
    'another value, inverted',
    { prefix: '/', headers: [{ name: 'x-a', exact: 'b', invert_match: true }] },
    { headers: { 'x-a': 'c' } },
    true,
  ],
  [
    'a missing header, inverted, matches neither way',
    { prefix: '/', headers: [{ name: 'x-a', exact: 'b', invert_match: true }] },
    {},
    false,
  ],
  [
    'host is the authority',
    { prefix: '/', headers: [{ name: 'Host', suffix: '.example' }] },
    { authority: 'app.example' },
    true,
  ],
  ['the scheme', { prefix: '/', headers: [{ name: ':scheme', exact: 'https' }] }, { scheme: 'http' }, false],
  ['all headers must match', { prefix: '/', headers: [{ name: 'a' }, { name: 'b' }] }, { headers: { a: '1' } }, false],
  ['a query parameter that is there', { prefix: '/', query_parameters: [{ name: 'a' }] }, { path: '/?b&a' }, true],
  [
    'a query parameter that is missing',
    { prefix: '/', query_parameters: [{ name: 'a' }] },
    { path: '/?ab=1&b=a' },
    false,
  ],
  [
    'a query parameter that must be missing',
    { prefix: '/', query_parameters: [{ name: 'a', present: false }] },
    { path: '/?a=1' },
    false,
  ],
  [
    'an exact query parameter',
    { prefix: '/', query_parameters: [{ name: 'a', exact: 'b c' }] },
    { path: '/?x=1&a=b%20c' },
    true,
  ],
  [
    'the first of two query parameters counts',
    { prefix: '/', query_parameters: [{ name: 'a', exact: '2' }] },
    { path: '/?a=1&a=2' },
    false,
  ],
  [
    'a query parameter by pattern',
    { prefix: '/', query_parameters: [{ name: 'a', safe_regex: '\\d+' }] },
    { path: '/?a=12' },
    true,
  ],
  [
    'a name that is percent-encoded',
    { prefix: '/', query_parameters: [{ name: 'a b', exact: '' }] },
    { path: '/?a+b' },
    true,
  ],
  [
    'a query that cannot be decoded is taken as it is',
    { prefix: '/', query_parameters: [{ name: 'a', exact: '%zz' }] },
    { path: '/?a=%zz' },
    true,
  ],
];

describe('a match', () => {
  it.each(cases)('%s', (_what, match, parts, expected) => {
    const config = routeConfig({ match, direct_response: { status: 200 } }).match;
    const asked = request(parts);
    expect(compileMatch(config)(asked, pathOf(asked.path))).toBe(expected);
  });
});
