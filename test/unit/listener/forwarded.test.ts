import { describe, expect, it } from 'vitest';
import { Headers } from '../../../src/http/index.ts';
import { clientAddress, forward, type ForwardedPolicy } from '../../../src/listener/forwarded.ts';

const edge: ForwardedPolicy = { useRemoteAddress: true, trustedHops: 0, skipAppend: false };
const internal: ForwardedPolicy = { ...edge, useRemoteAddress: false };
const three = '203.0.113.128, 203.0.113.10, 203.0.113.1';

describe("Envoy's worked examples of x-forwarded-for", () => {
  it.each([
    ['1: edge, nobody trusted in front', edge, '192.0.2.5', three, '192.0.2.5', `${three}, 192.0.2.5`],
    [
      '2: internal, behind the edge of example 1',
      internal,
      '10.11.12.13',
      `${three}, 192.0.2.5`,
      '192.0.2.5',
      `${three}, 192.0.2.5`,
    ],
    [
      '3: edge behind two trusted proxies',
      { ...edge, trustedHops: 2 },
      '192.0.2.5',
      three,
      '203.0.113.10',
      `${three}, 192.0.2.5`,
    ],
    [
      '4: internal, behind the edge of example 3',
      { ...internal, trustedHops: 2 },
      '10.11.12.13',
      `${three}, 192.0.2.5`,
      '203.0.113.10',
      `${three}, 192.0.2.5`,
    ],
    ['5: internal, asked by an internal client', internal, '10.20.30.40', undefined, '10.20.30.40', undefined],
    [
      '6: internal, behind the proxy of example 5',
      internal,
      '10.20.30.50',
      '10.20.30.40',
      '10.20.30.40',
      '10.20.30.40',
    ],
  ] as const)('%s', (_name, policy, peer, received, client, sent) => {
    const headers = received === undefined ? new Headers() : Headers.of({ 'X-Forwarded-For': received });
    expect(forward(headers, { peer, scheme: 'http', authority: 't' }, policy)).toBe(client);
    expect(headers.get('x-forwarded-for')).toBe(sent);
  });
});

describe('clientAddress', () => {
  it.each([
    [
      'takes the peer when there are fewer entries than hops',
      { ...edge, trustedHops: 3 },
      '1.1.1.1, 2.2.2.2',
      '9.9.9.9',
    ],
    ['takes the peer when the entry is no address', { ...edge, trustedHops: 1 }, 'unknown', '9.9.9.9'],
    ['drops ports', { ...edge, trustedHops: 1 }, '1.1.1.1:80', '1.1.1.1'],
    ['drops brackets', { ...edge, trustedHops: 1 }, '[2001:db8::1]:80', '2001:db8::1'],
    ['takes bare IPv6', { ...edge, trustedHops: 1 }, '2001:db8::1', '2001:db8::1'],
  ])('%s', (_name, policy, received, client) => {
    expect(clientAddress(received, '9.9.9.9', policy)).toBe(client);
  });
});

describe('forward', () => {
  const hop = { peer: '9.9.9.9', scheme: 'https', authority: 'example.org' } as const;

  it('overwrites what an untrusted client says of itself', () => {
    const headers = Headers.of({
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'evil',
      forwarded: 'for=1.1.1.1',
      'x-real-ip': '1.1.1.1',
    });
    forward(headers, hop, edge);
    expect(Object.fromEntries(headers)).toEqual({
      'x-forwarded-for': '9.9.9.9',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'example.org',
      'x-real-ip': '9.9.9.9',
    });
  });

  it('believes trusted hops, but not a proto that is none', () => {
    const trusted = { ...edge, trustedHops: 1 };
    const headers = Headers.of({ 'x-forwarded-proto': 'http', 'x-forwarded-host': 'outer', forwarded: 'for=1.1.1.1' });
    forward(headers, hop, trusted);
    expect(headers.get('x-forwarded-proto')).toBe('http');
    expect(headers.get('x-forwarded-host')).toBe('outer');
    expect(headers.get('forwarded')).toBe('for=1.1.1.1');
    const strange = Headers.of({ 'x-forwarded-proto': 'gopher' });
    forward(strange, hop, trusted);
    expect(strange.get('x-forwarded-proto')).toBe('https');
  });

  it('appends no peer that has no address, or when told not to', () => {
    for (const [peer, policy] of [
      ['unix', edge],
      ['9.9.9.9', { ...edge, skipAppend: true }],
    ] as const) {
      const headers = new Headers();
      forward(headers, { ...hop, peer }, policy);
      expect(headers.has('x-forwarded-for')).toBe(false);
    }
  });
});
