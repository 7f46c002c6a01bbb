import { toJsonSchema } from '@valibot/to-json-schema';
import { describe, expect, it } from 'vitest';
import { routeSchema, virtualHostSchema } from '../../../src/router/config.ts';
import { faultsOf, hostConfig, routeConfig } from './parts.ts';

const here = { direct_response: { status: 200 } };
const forward = (options: object) => ({ route: { cluster: 'app', ...options } });

describe('a route', () => {
  it('has sound defaults', () => {
    expect(routeConfig({ route: { cluster: 'app' } })).toMatchObject({
      match: { prefix: '/', case_sensitive: true, methods: [], headers: [], query_parameters: [] },
      route: {
        timeout: 15_000,
        hash_policy: [],
        upgrades: ['websocket'],
        retry_policy: {
          retry_on: ['connect-failure'],
          num_retries: 1,
          per_try_timeout: 0,
          retry_back_off: { base_interval: 25 },
          retry_non_idempotent: false,
          max_request_bytes: 65_536,
        },
      },
      per_filter_config: {},
    });
  });

  it('keeps the options of filters as they are', () => {
    const per_filter_config = { 'rate-limit': { max_tokens: 20 }, cors: { disabled: true } };
    expect(routeConfig({ ...here, per_filter_config }).per_filter_config).toEqual(per_filter_config);
  });

  const faults: [what: string, route: object, complaint: RegExp][] = [
    ['no action', {}, /exactly one of route, redirect and direct_response/],
    [
      'two actions',
      { ...here, redirect: { https_redirect: true } },
      /exactly one of route, redirect and direct_response/,
    ],
    ['no path', { ...here, match: {} }, /match: must have exactly one of prefix, path/],
    ['two paths', { ...here, match: { prefix: '/', path: '/' } }, /match: must have exactly one of/],
    ['a prefix without slash', { ...here, match: { prefix: 'api' } }, /match.prefix: must be a path/],
    ['a path with a query', { ...here, match: { path: '/a?b' } }, /match.path: must be a path/],
    [
      'a separated prefix with a slash at its end',
      { ...here, match: { path_separated_prefix: '/a/' } },
      /not end with a slash/,
    ],
    [
      'a pattern that may take for ever',
      { ...here, match: { safe_regex: '(a+)+' } },
      /match.safe_regex: could take exponential time/,
    ],
    [
      'two ways to match a header',
      { ...here, match: { prefix: '/', headers: [{ name: 'a', exact: 'b', prefix: 'b' }] } },
      /headers.0: must not have more than one/,
    ],
    ['no cluster', { route: {} }, /route: must have exactly one of cluster and weighted_clusters/],
    [
      'two rewrites',
      forward({ prefix_rewrite: '/', regex_rewrite: { pattern: 'a', substitution: 'b' } }),
      /prefix_rewrite and regex_rewrite/,
    ],
    [
      'a prefix rewrite of a pattern',
      { ...forward({ prefix_rewrite: '/' }), match: { safe_regex: '/a' } },
      /use regex_rewrite/,
    ],
    ['a rewrite into a query', forward({ prefix_rewrite: '/a?b' }), /prefix_rewrite: must be a path/],
    [
      'a group that the pattern does not have',
      forward({ regex_rewrite: { pattern: '(a)', substitution: '\\2' } }),
      /uses \\2, but the pattern has no such group/,
    ],
    ['a lone backslash', forward({ regex_rewrite: { pattern: 'a', substitution: '\\' } }), /backslash/],
    [
      'a bad pattern to rewrite',
      forward({ regex_rewrite: { pattern: '(', substitution: '' } }),
      /pattern is not a regular expression/,
    ],
    ['an unknown condition', forward({ retry_policy: { retry_on: ['conect-failure'] } }), /retry_on.0/],
    [
      'status codes without their condition',
      forward({ retry_policy: { retriable_status_codes: [418] } }),
      /need each other/,
    ],
    [
      'a condition without its status codes',
      forward({ retry_policy: { retry_on: ['retriable-status-codes'] } }),
      /need each other/,
    ],
    [
      'a back-off that ends before it begins',
      forward({ retry_policy: { retry_back_off: { base_interval: '1s', max_interval: '10ms' } } }),
      /less than/,
    ],
    ['a hash of nothing', forward({ hash_policy: [{}] }), /hash_policy.0: must have exactly one of/],
    ['h2c as an upgrade', forward({ upgrades: ['H2C'] }), /upgrades.0: h2c cannot be tunnelled/],
    ['a host with a path', forward({ host_rewrite: 'a/b' }), /host_rewrite: must be a host/],
    ['a redirect to where it came from', { redirect: {} }, /redirect: would send the client/],
    ['a redirect with another status', { redirect: { https_redirect: true, response_code: 300 } }, /response_code/],
    ['a header in a redirect', { redirect: { path_redirect: '/a b' } }, /path_redirect/],
    [
      'an answer of 1xx',
      { direct_response: { status: 101 } },
      /direct_response.status: must be an integer from 200 to 599/,
    ],
    ['content in a 204', { direct_response: { status: 204, body: 'x' } }, /204, 205 or 304 has no body/],
    ['framing', { ...here, response_headers: { set: { 'Content-Length': '1' } } }, /cannot be edited/],
    ['a hop-by-hop field', { ...here, request_headers: { append: { connection: 'x' } } }, /cannot be edited/],
    ['the host as a header', { ...here, request_headers: { set: { Host: 'x' } } }, /use host_rewrite/],
    ['a line break in a header', { ...here, response_headers: { set: { a: 'b\r\nc: d' } } }, /control characters/],
    [
      'a number as header value',
      { ...here, response_headers: { set: { a: 1 } } },
      /write numbers and true or false in quotes/,
    ],
    ['an unknown option', { ...here, timeout: '1s' }, /timeout/],
    [
      'filter options that are none',
      { ...here, per_filter_config: { cors: false } },
      /per_filter_config.cors: must be options of a filter/,
    ],
  ];
  it.each(faults)('may not have %s', (_what, route, complaint) => {
    expect(faultsOf(routeSchema, route).join('\n')).toMatch(complaint);
  });
});

describe('a virtual host', () => {
  it('folds its domains as requests are folded', () => {
    const { domains } = hostConfig({ name: 'a', domains: ['App.Example.', '*.X', 'a.*', '*', '[::1]', 'my_app'] });
    expect(domains).toEqual(['app.example', '*.x', 'a.*', '*', '[::1]', 'my_app']);
  });

  it.each([
    [[], /at least one domain/],
    [['a.example:80'], /must not have a port/],
    [['[::1]:80'], /must not have a port/],
    [['a.*.example'], /must be a host/],
    [['*.*'], /must be a host/],
    [['https://a'], /must be a host/],
    [['bücher.example'], /must be a host/],
  ])('may not have the domains %j', (domains, complaint) => {
    expect(faultsOf(virtualHostSchema, { name: 'a', domains }).join('\n')).toMatch(complaint);
  });
});

it('every option of the router has its sentence', () => {
  const missing: string[] = [];
  const look = (schema: unknown, path: string): void => {
    if (typeof schema !== 'object' || schema === null) return;
    const { properties, description: _, ...rest } = schema as Record<string, unknown>;
    for (const [key, value] of Object.entries((properties ?? {}) as Record<string, Record<string, unknown>>)) {
      if (typeof value['description'] !== 'string') missing.push(`${path}.${key}`);
      look(value, `${path}.${key}`);
    }
    for (const [key, value] of Object.entries(rest)) look(value, key === 'items' ? `${path}[]` : path);
  };
  look(toJsonSchema(virtualHostSchema, { errorMode: 'ignore' }), 'virtual_host');
  expect(missing).toEqual([]);
});
