import { describe, expect, it } from 'vitest';
import { compileRewrite } from '../../../src/router/rewrite.ts';
import { Headers } from '../../../src/http/index.ts';
import { compileHeaderEdits } from '../../../src/router/header-edits.ts';
import { hash32 } from '../../../src/router/hash-policy.ts';
import { compileHashPolicy } from '../../../src/router/hash-policy.ts';
import { compileWeighted } from '../../../src/router/weighted-clusters.ts';
import { exchange, routeConfig, seeded } from './parts.ts';

type Input = Parameters<typeof routeConfig>[0];

describe('a path', () => {
  const cases: [what: string, match: Input['match'], rewrite: object, target: string, expected: string][] = [
    ['gets another prefix', { prefix: '/api/' }, { prefix_rewrite: '/v1/' }, '/api/x?q=/api/', '/v1/x?q=/api/'],
    ['loses a prefix', { prefix: '/api/' }, { prefix_rewrite: '/' }, '/api/x', '/x'],
    ['does not get two slashes', { prefix: '/api' }, { prefix_rewrite: '/' }, '/api/x', '/x'],
    ['stays a path', { prefix: '/api' }, { prefix_rewrite: '/' }, '/api', '/'],
    ['keeps its query behind a prefix', { path_separated_prefix: '/api' }, { prefix_rewrite: '/' }, '/api?a', '/?a'],
    [
      'gets a separated prefix',
      { path_separated_prefix: '/api' },
      { prefix_rewrite: '/v2/api' },
      '/api/x',
      '/v2/api/x',
    ],
    ['is replaced when exact', { path: '/old' }, { prefix_rewrite: '/new' }, '/old?x', '/new?x'],
    [
      'is folded in case only where matched',
      { prefix: '/API', case_sensitive: false },
      { prefix_rewrite: '/v' },
      '/api/X',
      '/v/X',
    ],
    [
      'is rewritten by pattern',
      { prefix: '/' },
      { regex_rewrite: { pattern: '^/service/([^/]+)(/.*)$', substitution: '\\2/instance/\\1' } },
      '/service/foo/v1/api?a=/service/x/y',
      '/v1/api/instance/foo?a=/service/x/y',
    ],
    [
      'is rewritten wherever the pattern matches',
      { prefix: '/' },
      { regex_rewrite: { pattern: 'one', substitution: 'two' } },
      '/a/one/b/one?one',
      '/a/two/b/two?one',
    ],
    [
      'takes group 0 and backslashes',
      { prefix: '/' },
      { regex_rewrite: { pattern: 'b+', substitution: '[\\0\\\\]' } },
      '/abb',
      '/a[bb\\]',
    ],
    ['does not know $1', { prefix: '/' }, { regex_rewrite: { pattern: '(b)', substitution: '$1$&' } }, '/ab', '/a$1$&'],
    [
      'takes an empty group',
      { prefix: '/' },
      { regex_rewrite: { pattern: '^/(a)?b$', substitution: '/x\\1' } },
      '/b',
      '/x',
    ],
    ['stays in origin form', { prefix: '/' }, { regex_rewrite: { pattern: '^/a', substitution: '' } }, '/ab?c', '/b?c'],
    [
      'stays as it is where the pattern does not match',
      { prefix: '/' },
      { regex_rewrite: { pattern: '^/z', substitution: '/' } },
      '/ab',
      '/ab',
    ],
  ];
  it.each(cases)('%s', (_what, match, rewrite, target, expected) => {
    const { route, match: compiled } = routeConfig({ ...(match && { match }), route: { cluster: 'app', ...rewrite } });
    expect(compileRewrite(compiled, route!.prefix_rewrite, route!.regex_rewrite)!(target)).toBe(expected);
  });
});

describe('header edits', () => {
  it('remove, set, add if absent and append, those of the route last', () => {
    const edits = [
      { remove: ['A'], set: { b: 'host', c: 'host' }, append: { d: ['1', '2'] } },
      { set: { c: 'route' }, add_if_absent: { a: 'again', b: 'no' }, append: { d: '3' } },
    ].map((response_headers) => routeConfig({ direct_response: { status: 200 }, response_headers }).response_headers);
    const headers = Headers.of({ a: 'x', B: ['y', 'z'], other: '1' });
    compileHeaderEdits(...edits)!(headers);
    expect([...headers.flat].join(' ')).toBe('b host other 1 c route d 1 d 2 a again d 3');
  });

  it('are nothing at all when there are none', () => {
    expect(compileHeaderEdits(routeConfig({ direct_response: { status: 200 } }).response_headers)).toBeUndefined();
  });
});

describe('weighted clusters', () => {
  it('are chosen by their share, and never at weight 0', () => {
    const pick = compileWeighted([
      { value: 'a', weight: 70 },
      { value: 'never', weight: 0 },
      { value: 'b', weight: 20 },
      { value: 'c', weight: 10 },
    ]);
    const random = seeded(1);
    const counts: Record<string, number> = {};
    for (let time = 0; time < 10_000; time++) {
      const picked = pick(random());
      counts[picked] = (counts[picked] ?? 0) + 1;
    }
    expect(Object.keys(counts).sort()).toEqual(['a', 'b', 'c']);
    for (const [name, share] of Object.entries({ a: 7000, b: 2000, c: 1000 })) {
      expect(Math.abs(counts[name]! - share)).toBeLessThan(200);
    }
    expect([pick(0), pick(0.7), pick(0.9), pick(1 - 2 ** -53)]).toEqual(['a', 'b', 'c', 'c']);
  });
});

describe('a hash policy', () => {
  const hashWith = (hash_policy: object[], parts: Parameters<typeof exchange>[0], address?: string) =>
    compileHashPolicy(routeConfig({ route: { cluster: 'app', hash_policy } }).route!.hash_policy)!(
      exchange(parts, address),
    );

  it('hashes what it names', () => {
    expect(hashWith([{ header: 'X-User' }], { headers: { 'x-user': 'ann' } })).toBe(hash32('ann'));
    expect(hashWith([{ cookie: 'id' }], { headers: { cookie: ['a=b; xid=no', 'c=d;id=ann'] } })).toBe(hash32('ann'));
    expect(hashWith([{ query_parameter: 'u' }], { path: '/?x=1&u=ann' })).toBe(hash32('ann'));
    expect(hashWith([{ source_ip: true }], {}, '192.0.2.7')).toBe(hash32('192.0.2.7'));
    expect(hashWith([{ header: 'host' }], { authority: 'a.example' })).toBe(hash32('a.example'));
  });

  it('gives nothing when the request has nothing of it, and takes what there is', () => {
    expect(hashWith([{ header: 'x-user' }], {})).toBeUndefined();
    expect(hashWith([{ header: 'x-user' }, { cookie: 'id' }], { headers: { cookie: 'id=ann' } })).toBe(hash32('ann'));
  });

  it('combines several in order', () => {
    const parts = { headers: { a: '1', b: '2' } };
    const hashes = [
      hashWith([{ header: 'a' }, { header: 'b' }], parts),
      hashWith([{ header: 'b' }, { header: 'a' }], parts),
    ];
    expect(new Set(hashes).size).toBe(2);
    expect(hashWith([{ header: 'a' }, { header: 'a' }], parts)).not.toBe(0);
  });

  it('spreads near texts over 32 bits', () => {
    const buckets = new Array<number>(16).fill(0);
    for (let user = 0; user < 16_000; user++) buckets[hash32(`user-${user}`) >>> 28]!++;
    expect(Math.min(...buckets)).toBeGreaterThan(850);
    expect(Math.max(...buckets)).toBeLessThan(1150);
  });
});
