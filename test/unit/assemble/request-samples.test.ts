import { expect, it } from 'vitest';
import { RequestSamples } from '../../../src/assemble/request-samples.ts';
import { FilterChain } from '../../../src/filter/chain.ts';
import { Headers, localReply, noBody, type Request } from '../../../src/http/index.ts';
import type { RouteTable } from '../../../src/router/route.ts';

const table: RouteTable = {
  match: () => ({
    facts: { virtualHost: 'a', route: 'b' },
    chain: new FilterChain([]),
    idleTimeout: undefined,
    upgrades: new Set(),
    answer: () => localReply(200, 'ok'),
  }),
};

function request(path: string, headers: Record<string, string> = {}): Request {
  return {
    method: 'GET',
    scheme: 'http',
    authority: 'shop.example',
    path,
    headers: Headers.of(headers),
    body: noBody,
    upgrade: undefined,
  };
}

it('keeps of a request what routes look at, and of credentials only that they are there', () => {
  const samples = new RequestSamples(10);
  const sampled = samples.sampling(table, {
    headers: ['x-beta', 'authorization', 'x-none'],
    query: ['page', 'access_token'],
  });
  sampled.match(
    request('/a?page=2&access_token=hush&q=private', { 'x-beta': 'yes', authorization: 'Bearer hush', cookie: 'hush' }),
  );
  const [sample] = samples.all;
  expect(sample!.path).toBe('/a?page=2&access_token=[redacted]');
  expect([...sample!.headers]).toEqual([
    ['x-beta', 'yes'],
    ['authorization', '[redacted]'],
  ]);
});

it('keeps no more than it may, and the newest of those it looks at', () => {
  const samples = new RequestSamples(3);
  const sampled = samples.sampling(table, { headers: [], query: [] });
  for (let at = 0; at < 1000; at++) sampled.match(request(`/${at}`));
  const paths = samples.all.map(({ path }) => Number(path.slice(1)));
  expect(paths.length).toBe(3);
  expect(Math.min(...paths)).toBeGreaterThan(700);
  sampled.match(request(`/${'x'.repeat(8000)}`));
  expect(samples.all.some(({ path }) => path.length > 512)).toBe(false);
});

it('keeps none when told so, and leaves the table as it is', () => {
  const samples = new RequestSamples(0);
  expect(samples.sampling(table, { headers: [], query: [] })).toBe(table);
});
