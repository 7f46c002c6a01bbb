import { describe, expect, it } from 'vitest';
import { jwtClaims } from '../../../filters/jwt-auth/claims-note.ts';
import { clientNetwork } from '../../../filters/rate-limit/client-network.ts';
import { redisAddress } from '../../../filters/rate-limit/redis-address.ts';
import { requestKey } from '../../../filters/rate-limit/request-key.ts';
import { makeExchange, type ExchangeOptions } from '../../support/filter-harness.ts';

describe('the network of a client', () => {
  it.each([
    ['192.0.2.7', 64, '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', 64, '2001:db8:1:2:/64'],
    ['2001:db8:1:2::1', 64, '2001:db8:1:2:/64'],
    ['2001:DB8:1:2:ffff::', 64, '2001:db8:1:2:/64'],
    ['2001:db8:1:3::1', 64, '2001:db8:1:3:/64'],
    ['2001:db8:1:23ff::1', 56, '2001:db8:1:2300:/56'],
    ['2001:db8::1', 128, '2001:db8:0:0:0:0:0:1:/128'],
    ['::1', 64, '0:0:0:0:/64'],
    ['::', 16, '0:/16'],
    ['1::', 16, '1:/16'],
    ['fe80::1%eth0', 64, 'fe80:0:0:0:/64'],
    ['::ffff:192.0.2.7', 64, '192.0.2.7'],
    ['::ffff:c000:207', 64, '192.0.2.7'],
    ['64:ff9b::192.0.2.7', 128, '64:ff9b:0:0:0:0:c000:207:/128'],
    ['unix', 64, 'unix'],
    ['not:an:address', 64, 'not:an:address'],
    ['', 64, ''],
  ])('of %s with %i bits is %s', (text, prefix, network) => {
    expect(clientNetwork(text, prefix)).toBe(network);
  });
});

interface KeyCase {
  readonly name: string;
  readonly key: string[];
  readonly exchange?: ExchangeOptions;
  readonly claims?: Record<string, unknown>;
  readonly gives: string;
}

describe('the key of a request', () => {
  const client = { clientAddress: '192.0.2.7' };
  const cases: KeyCase[] = [
    { name: 'the client', key: ['client_address'], exchange: client, gives: '@192.0.2.7' },
    {
      name: 'the network of an IPv6 client',
      key: ['client_address'],
      exchange: { clientAddress: '2001:db8::9' },
      gives: '@2001:db8:0:0:/64',
    },
    { name: 'the route', key: ['route'], gives: 'shop/checkout' },
    { name: 'a header', key: ['header:X-Tenant'], exchange: { headers: { 'x-tenant': 'blue' } }, gives: '=blue' },
    { name: 'the host', key: ['header:host'], exchange: { authority: 'Shop.Test' }, gives: '=shop.test' },
    { name: 'the client when the header is left out', key: ['header:x-tenant'], exchange: client, gives: '@192.0.2.7' },
    {
      name: 'the client when the header is empty',
      key: ['header:x-tenant'],
      exchange: { ...client, headers: { 'x-tenant': '' } },
      gives: '@192.0.2.7',
    },
    {
      name: 'a header that pretends to be a client',
      key: ['header:x-tenant'],
      exchange: { headers: { 'x-tenant': '@192.0.2.7' } },
      gives: '=@192.0.2.7',
    },
    { name: 'a claim', key: ['claim:sub'], claims: { sub: 'ann' }, gives: '="ann"' },
    { name: 'a claim inside another', key: ['claim:realm.tenant'], claims: { realm: { tenant: 7 } }, gives: '=7' },
    {
      name: 'a claim whose name has dots',
      key: ['claim:https://a.b/t'],
      claims: { 'https://a.b/t': 'x' },
      gives: '="x"',
    },
    {
      name: 'the client when the claim is missing',
      key: ['claim:realm.tenant'],
      exchange: client,
      claims: { realm: 'x' },
      gives: '@192.0.2.7',
    },
    {
      name: 'the client when the claim is inherited',
      key: ['claim:constructor'],
      exchange: client,
      claims: {},
      gives: '@192.0.2.7',
    },
    {
      name: 'the client when the claim is null',
      key: ['claim:sub'],
      exchange: client,
      claims: { sub: null },
      gives: '@192.0.2.7',
    },
    { name: 'the client when there was no token', key: ['claim:sub'], exchange: client, gives: '@192.0.2.7' },
    {
      name: 'several parts',
      key: ['client_address', 'header:x-tenant', 'claim:sub'],
      exchange: { ...client, headers: { 'x-tenant': 'blue' } },
      claims: { sub: 'a\nb' },
      gives: '@192.0.2.7\n=blue\n="a\\nb"',
    },
  ];

  it.each(cases)('is $name', ({ key, exchange: options, claims, gives }) => {
    const exchange = makeExchange(options);
    exchange.route = { virtualHost: 'shop', route: 'checkout' };
    if (claims !== undefined) exchange.set(jwtClaims, claims);
    expect(requestKey(key, 64)(exchange.request, exchange)).toBe(gives);
  });
});

describe('the address of a Redis', () => {
  it.each([
    ['redis://cache', { host: 'cache', port: 6379, tls: false }],
    ['redis://cache:7000/3', { host: 'cache', port: 7000, tls: false, db: 3 }],
    ['rediss://ann:p%40ss@cache/', { host: 'cache', port: 6379, tls: true, username: 'ann', password: 'p@ss' }],
    ['redis://:pw@[::1]:6380', { host: '::1', port: 6380, tls: false, password: 'pw' }],
    ['unix:/run/redis.sock', { path: '/run/redis.sock', tls: false }],
    ['http://cache', undefined],
    ['cache:6379', undefined],
    ['redis:///0', undefined],
    ['redis://cache/zero', undefined],
    ['redis://cache?db=1', undefined],
    ['redis://cache:99999', undefined],
    ['redis://a%zz@cache', undefined],
    ['', undefined],
  ])('%s is read', (text, expected) => {
    expect(redisAddress(text)).toEqual(expected);
  });
});
