import { describe, expect, it } from 'vitest';
import { refusal, type Caller } from '../../../src/admin/guard.ts';

const caller: Caller = {
  remoteAddress: '127.0.0.1',
  host: ['127.0.0.1:9090'],
  origin: undefined,
  fetchSite: undefined,
  proxied: false,
};
const rules = { allow_remote_mutations: false, allowed_hosts: ['portico.example'] };

describe('the Host header', () => {
  it.each([
    ['an IPv4 address, as a probe of Kubernetes sends it', '10.1.2.3:9090', true],
    ['an IPv4 address without port', '10.1.2.3', true],
    ['an IPv6 address', '[fd00::1]:9090', true],
    ['localhost', 'localhost:9090', true],
    ['localhost in capitals with a final dot', 'LOCALHOST.', true],
    ['a configured name', 'Portico.Example:9090', true],
    ['a name that a web page may own', 'evil.example:9090', false],
    ['a name that begins with an address', '127.0.0.1.evil.example', false],
    ['a name that ends with a configured one', 'evil-portico.example', false],
    ['a name below localhost', 'evil.localhost', false],
    ['a broken IPv6 address', '[zz::1]:9090', false],
    ['user information', 'localhost@evil.example', false],
    ['an empty value', '', false],
  ])('%s: %s', (_, host, allowed) => {
    expect(refusal({ ...caller, host: [host] }, false, rules) === undefined).toBe(allowed);
  });

  it('may be missing, which only HTTP/1.0 can do', () => {
    expect(refusal({ ...caller, host: [] }, false, rules)).toBeUndefined();
  });

  it('may not be there twice', () => {
    expect(refusal({ ...caller, host: ['localhost', 'localhost'] }, false, rules)).toBe('more than one Host header');
  });
});

describe('a change', () => {
  it.each<[string, Partial<Caller>, boolean]>([
    ['from IPv4 loopback', {}, true],
    ['from elsewhere on 127.0.0.0/8', { remoteAddress: '127.8.8.8' }, true],
    ['from IPv6 loopback', { remoteAddress: '::1' }, true],
    ['from mapped loopback', { remoteAddress: '::ffff:127.0.0.1' }, true],
    ['from a unix socket', { remoteAddress: 'unix', host: ['localhost'] }, true],
    ['from another address', { remoteAddress: '10.0.0.7' }, false],
    ['from a mapped address', { remoteAddress: '::ffff:10.0.0.7' }, false],
    ['from a peer that has left', { remoteAddress: undefined }, false],
    ['from our own page', { origin: 'http://127.0.0.1:9090', fetchSite: 'same-origin' }, true],
    ['typed by hand in a browser', { fetchSite: 'none' }, true],
    ['from another origin', { origin: 'http://127.0.0.1:3000' }, false],
    ['from a page without origin', { origin: 'null' }, false],
    ['from another site', { fetchSite: 'cross-site' }, false],
    ['from another port of localhost, which browsers call the same site', { fetchSite: 'same-site' }, false],
    ['with a doubled header', { fetchSite: 'none, cross-site' }, false],
    ['through a proxy', { proxied: true }, false],
  ])('%s', (_, difference, allowed) => {
    expect(refusal({ ...caller, ...difference }, true, rules) === undefined).toBe(allowed);
  });

  it('from another address is accepted when that is configured, but not from another site', () => {
    const open = { ...rules, allow_remote_mutations: true };
    expect(refusal({ ...caller, remoteAddress: '10.0.0.7' }, true, open)).toBeUndefined();
    expect(refusal({ ...caller, remoteAddress: '10.0.0.7', fetchSite: 'cross-site' }, true, open)).toContain(
      'another site',
    );
  });

  it('from another address may still look', () => {
    expect(
      refusal({ ...caller, remoteAddress: '10.0.0.7', origin: 'http://evil.example' }, false, rules),
    ).toBeUndefined();
  });
});
