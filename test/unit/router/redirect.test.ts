import { describe, expect, it } from 'vitest';
import { isLocalReply } from '../../../src/http/index.ts';
import { answer, exchange, tableOf, type RequestParts } from './parts.ts';

type Input = Parameters<typeof tableOf>[0][number];
const app = { authority: 'app.example', path: '/a?b=c' };

describe('a redirect', () => {
  const cases: [
    what: string,
    redirect: NonNullable<Input['redirect']>,
    request: RequestParts,
    location: string,
    match?: Input['match'],
  ][] = [
    ['to https', { https_redirect: true }, app, 'https://app.example/a?b=c'],
    [
      'to https, dropping port 80',
      { https_redirect: true },
      { ...app, authority: 'app.example:80' },
      'https://app.example/a?b=c',
    ],
    [
      'to https, keeping another port',
      { https_redirect: true },
      { ...app, authority: 'app.example:8080' },
      'https://app.example:8080/a?b=c',
    ],
    [
      'to https on a port',
      { https_redirect: true, port_redirect: 8443 },
      { ...app, authority: 'app.example:8080' },
      'https://app.example:8443/a?b=c',
    ],
    [
      'to the default port of https',
      { https_redirect: true, port_redirect: 443 },
      { ...app, authority: 'a.example:80' },
      'https://a.example/a?b=c',
    ],
    ['of IPv6 to https', { https_redirect: true }, { ...app, authority: '[::1]:80' }, 'https://[::1]/a?b=c'],
    [
      'of IPv6 without port to a port',
      { port_redirect: 81 },
      { ...app, authority: '[::80]' },
      'http://[::80]:81/a?b=c',
    ],
    ['to a host', { host_redirect: 'b.example' }, { ...app, authority: 'a.example:8080' }, 'http://b.example/a?b=c'],
    [
      'to a host of HTTP/1.0 without one',
      { host_redirect: 'b.example:81' },
      { ...app, authority: '' },
      'http://b.example:81/a?b=c',
    ],
    ['to a path', { path_redirect: '/x' }, app, 'http://app.example/x?b=c'],
    ['to a path with its own query', { path_redirect: '/x?y' }, app, 'http://app.example/x?y'],
    ['without the query', { strip_query: true, path_redirect: '/x' }, app, 'http://app.example/x'],
    [
      'to another prefix',
      { prefix_rewrite: '/new/' },
      { ...app, path: '/old/x?y' },
      'http://app.example/new/x?y',
      { prefix: '/old/' },
    ],
    [
      'that keeps two slashes within the path',
      { https_redirect: true },
      { ...app, path: '//evil.example/x' },
      'https://app.example//evil.example/x',
    ],
  ];
  it.each(cases)('%s', async (_what, redirect, parts, location, match) => {
    const response = await answer(tableOf([{ ...(match && { match }), redirect }]), exchange(parts));
    expect([response.status, response.headers.get('location'), response.body.length]).toEqual([301, location, 0]);
    expect(isLocalReply(response) && response.local.details).toBe('redirect');
  });

  it('answers with the status and the header edits of the route', async () => {
    const routes = tableOf([
      { redirect: { https_redirect: true, response_code: 308 }, response_headers: { set: { 'x-a': 'b' } } },
    ]);
    const response = await answer(routes, exchange());
    expect([response.status, response.headers.get('x-a')]).toEqual([308, 'b']);
  });

  it('refuses a client that named no host to come back to', async () => {
    const response = await answer(
      tableOf([{ redirect: { https_redirect: true } }]),
      exchange({ authority: '', path: '//evil.example' }),
    );
    expect([response.status, response.headers.has('location')]).toEqual([400, false]);
  });
});
