import { describe, expect, it } from 'vitest';
import { isLocalReply } from '../../../src/http/index.ts';
import { hostOf } from '../../../src/router/virtual-host-index.ts';
import { ConfigError, type Fault } from '../../../src/options/index.ts';
import { answer, exchange, request, table, tableOf, textOf, type World } from './parts.ts';
import { ScriptedCluster } from './scripted-cluster.ts';

type Hosts = Parameters<typeof table>[0];
const here = { match: { prefix: '/' }, direct_response: { status: 200 } };

function faultsOf(hosts: Hosts, world?: World): readonly Fault[] {
  try {
    table(hosts, world);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

describe('the virtual host', () => {
  const hosts = table(
    [
      ['any', '*'],
      ['exact', 'app.example', '[::1]'],
      ['suffix', '*.example'],
      ['long-suffix', '*.app.example'],
      ['prefix', 'app.*'],
      ['long-prefix', 'app.internal.*'],
    ].map(([name, ...domains]) => ({ name: name!, domains, routes: [here] })),
  );

  it.each([
    ['app.example', 'exact'],
    ['APP.Example', 'exact'],
    ['app.example:8443', 'exact'],
    ['app.example.', 'exact'],
    ['app.example.:80', 'exact'],
    ['[::1]', 'exact'],
    ['[::1]:8080', 'exact'],
    ['a.example', 'suffix'],
    ['a.b.example', 'suffix'],
    ['x.app.example', 'long-suffix'],
    ['y.x.app.example', 'long-suffix'],
    ['.example', 'any'],
    ['example', 'any'],
    ['app.other', 'prefix'],
    ['app.internal.net', 'long-prefix'],
    ['app.internal', 'prefix'],
    ['app', 'any'],
    ['[::2]:80', 'any'],
    ['', 'any'],
  ])('of %s is %s', (authority, expected) => {
    expect(hosts.match(request({ authority })).facts.virtualHost).toBe(expected);
  });

  it('is found without wildcards too', () => {
    const routes = table([{ name: 'a', domains: ['A.example'], routes: [here] }]);
    expect(routes.match(request({ authority: 'a.Example:1' })).facts.virtualHost).toBe('a');
    expect(routes.match(request({ authority: 'b.example' })).facts).toEqual({ virtualHost: '', route: 'not_found' });
  });

  it.each([
    ['h:80', 'h'],
    ['H.', 'h'],
    ['[::1]:80', '[::1]'],
    ['[::1]', '[::1]'],
  ])('compares %s as %s', (authority, host) => expect(hostOf(authority)).toBe(host));
});

describe('routes of a virtual host', () => {
  const names = (paths: string[], matches: Record<string, object>) => {
    const routes = tableOf(
      Object.entries(matches).map(([name, match]) => ({ ...here, name, match: match as { prefix: string } })),
    );
    return paths.map((path) => routes.match(request({ path })).facts.route);
  };

  it('are taken in order, however they match', () => {
    const matches = {
      regex: { safe_regex: '/a/\\d+' },
      exact: { path: '/a/b' },
      insensitive: { prefix: '/a/X', case_sensitive: false },
      part: { prefix: '/a/b' },
      below: { path_separated_prefix: '/a/b/c' },
      late: { path: '/a/bc' },
      rest: { prefix: '/a/' },
      odd: { path: '/a' },
      root: { path: '/' },
      double: { prefix: '//' },
    };
    expect(
      names(['/a/7', '/a/b', '/a/xyz', '/a/b/c/d', '/a/bc', '/a/', '/a/z', '/a', '/', '//x', '/b'], matches),
    ).toEqual(['regex', 'exact', 'insensitive', 'part', 'part', 'rest', 'rest', 'odd', 'root', 'double', 'not_found']);
  });

  it('give the same answer through the index as one after the other', () => {
    const pieces = ['/', '/a', '/a/', '/a/b', '/a/b/', '/ab', '/a/bc', '/b/a/c', '/a//b', '/a/b/c/d'];
    const matches = pieces.flatMap((piece, at) => [
      { path: piece },
      ...(piece.endsWith('/') ? [] : [{ path_separated_prefix: piece }]),
      ...(at % 3 === 0 ? [] : [{ prefix: piece }]),
      { safe_regex: `${piece}x` },
    ]);
    for (let turn = 0; turn < matches.length; turn++) {
      const turned = [...matches.slice(turn), ...matches.slice(0, turn)];
      const routes = tableOf(turned.map((match, at) => ({ ...here, name: `r${at}`, match })));
      const single = turned.map((match) => tableOf([{ ...here, match }]));
      for (const path of [...pieces, '/x', '/ax', '/a/bx', '/a/b/c', '/abc', '//', '*']) {
        const first = single.findIndex((one) => one.match(request({ path })).facts.route !== 'not_found');
        expect([path, routes.match(request({ path })).facts.route]).toEqual([
          path,
          first < 0 ? 'not_found' : `r${first}`,
        ]);
      }
    }
  });

  it('are named by virtual host and position unless they have a name', () => {
    const routes = tableOf([{ ...here, name: 'first', match: { path: '/a' } }, here]);
    expect(routes.match(request({ path: '/a' })).facts).toEqual({ virtualHost: 'app', route: 'first' });
    expect(routes.match(request({ path: '/b' })).facts).toEqual({ virtualHost: 'app', route: 'app/1' });
  });

  it('answer 404 with NR when none matches, with the header edits of the virtual host', async () => {
    const routes = table([{ name: 'app', domains: ['*'], response_headers: { set: { 'X-A': 'b' } } }]);
    const response = await answer(routes, exchange());
    expect(response.status).toBe(404);
    expect(isLocalReply(response) && response.local).toEqual({ details: 'route_not_found', flag: 'NR' });
    expect(response.headers.get('x-a')).toBe('b');
  });

  it('carry their idle timeout and their upgrades', () => {
    const routes = tableOf([
      { match: { path: '/a' }, route: { cluster: 'app', idle_timeout: '2s', upgrades: ['WebSocket', 'foo'] } },
      { route: { cluster: 'app' } },
    ]);
    const [a, b] = ['/a', '/b'].map((path) => routes.match(request({ path })));
    expect([a!.idleTimeout, [...a!.upgrades], b!.idleTimeout, [...b!.upgrades]]).toEqual([
      2000,
      ['websocket', 'foo'],
      undefined,
      ['websocket'],
    ]);
  });
});

describe('a route table', () => {
  it('tells every fault at once, with its place', () => {
    const forward = (cluster: string) => ({ match: { prefix: '/' }, route: { cluster } });
    const hosts: Hosts = [
      { name: 'a', domains: ['x.example', '*.y'], routes: [forward('app'), forward('ap')] },
      {
        name: 'a',
        domains: ['X.example', '*'],
        routes: [
          {
            name: 'r',
            route: {
              weighted_clusters: [
                { name: 'app', weight: 0 },
                { name: 'whatever', weight: 0 },
              ],
            },
          },
          { ...here, name: 'r' },
        ],
      },
      { name: 'c', domains: ['*', '*.Y'], routes: [] },
    ];
    expect(faultsOf(hosts)).toEqual([
      {
        path: ['virtual_hosts', 0, 'routes', 1, 'route', 'cluster'],
        message: 'there is no cluster ap; did you mean app?',
      },
      { path: ['virtual_hosts', 1, 'name'], message: 'another virtual host has the name a already' },
      {
        path: ['virtual_hosts', 1, 'routes', 0, 'route', 'weighted_clusters', 1, 'name'],
        message: 'there is no cluster whatever; the clusters are: app',
      },
      {
        path: ['virtual_hosts', 1, 'routes', 0, 'route', 'weighted_clusters'],
        message: 'all weights are 0; at least one must be more',
      },
      { path: ['virtual_hosts', 1, 'routes', 1, 'name'], message: 'another route has the name r already' },
      {
        path: ['virtual_hosts', 1, 'domains', 0],
        message: 'x.example is served already; each domain may be named once',
      },
      { path: ['virtual_hosts', 2, 'domains', 0], message: '* is served already; each domain may be named once' },
      { path: ['virtual_hosts', 2, 'domains', 1], message: '*.y is served already; each domain may be named once' },
    ]);
  });

  it('tells the faults of filters along with its own, at the place of the route if they have none', () => {
    const faults = faultsOf([{ name: 'a', domains: ['*'], routes: [here, { route: { cluster: 'none' } }] }], {
      path: ['listeners', 0, 'virtual_hosts'],
      chainFor: (_route, name) => {
        throw new ConfigError([{ path: name === 'a/0' ? [] : ['x'], message: name }]);
      },
    });
    expect(faults.map(({ path }) => path.join('.'))).toEqual([
      'listeners.0.virtual_hosts.0.routes.0',
      'x',
      'listeners.0.virtual_hosts.0.routes.1.route.cluster',
    ]);
  });

  it('shares requests among weighted clusters', async () => {
    const [a, b] = ['a', 'b'].map((name) => new ScriptedCluster([], name));
    const routes = tableOf(
      [
        {
          route: {
            weighted_clusters: [
              { name: 'a', weight: 0 },
              { name: 'b', weight: 5 },
            ],
          },
        },
      ],
      {
        clusters: [a!, b!],
      },
    );
    await answer(routes, exchange()).catch(() => {});
    expect([a!.attempts.length, b!.attempts.length]).toEqual([0, 1]);
  });

  it('answers directly where a route says so', async () => {
    const routes = tableOf([
      {
        direct_response: { status: 503, body: 'closed', headers: { 'retry-after': '5' } },
        response_headers: { append: { 'x-a': ['1', '2'] } },
      },
    ]);
    for (let time = 0; time < 2; time++) {
      const response = await answer(routes, exchange());
      expect([response.status, await textOf(response.body)]).toEqual([503, 'closed']);
      expect([...response.headers.flat]).toEqual([
        ...['retry-after', '5'],
        ...['content-type', 'text/plain; charset=utf-8'],
        ...['x-a', '1', 'x-a', '2'],
      ]);
    }
  });
});
