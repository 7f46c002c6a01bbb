import { describe, expect, it } from 'vitest';
import { namesToAsk, parseResolvConf, type ResolvConf } from '../../../src/cluster/resolv-conf.ts';

const nothing: ResolvConf = { servers: [], search: [], ndots: 1, timeout: undefined };

describe('resolv.conf', () => {
  it.each<[string, string, Partial<ResolvConf>]>([
    ['that is empty says nothing', '', {}],
    [
      'of a pod',
      'search app.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n',
      {
        servers: ['10.96.0.10'],
        search: ['app.svc.cluster.local', 'svc.cluster.local', 'cluster.local'],
        ndots: 5,
      },
    ],
    ['with comments', '# one\n; two\nnameserver 10.0.0.1 # three\n', { servers: ['10.0.0.1'] }],
    [
      'with carriage returns and tabs',
      'nameserver\t10.0.0.1\r\nsearch\ta.test\r\n',
      { servers: ['10.0.0.1'], search: ['a.test'] },
    ],
    [
      'with name servers of both families',
      'nameserver fd00::a\nnameserver 10.0.0.1',
      { servers: ['fd00::a', '10.0.0.1'] },
    ],
    [
      'with a fourth name server, which does not count',
      'nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\nnameserver 10.0.0.4',
      { servers: ['10.0.0.1', '10.0.0.2', '10.0.0.3'] },
    ],
    ['with name servers that are none', 'nameserver dns.test\nnameserver\nnameserver fe80::1%eth0', {}],
    ['with a domain', 'domain one.test', { search: ['one.test'] }],
    ['with both, of which the last counts', 'search a.test b.test\ndomain c.test', { search: ['c.test'] }],
    ['with both the other way', 'domain c.test\nsearch a.test b.test.', { search: ['a.test', 'b.test'] }],
    ['with the root as its domain', 'search .', {}],
    ['with several lines of options', 'options timeout:2 rotate\noptions ndots:2', { ndots: 2, timeout: 2000 }],
    ['with options beyond their bounds', 'options ndots:99 timeout:0', { ndots: 15, timeout: 1000 }],
    ['with options that are none', 'options ndots:x timeout ndots2', {}],
    ['with keywords that nobody knows', 'sortlist 10.0.0.0\nnameservers 10.0.0.1', {}],
  ])('%s', (_name, text, expected) => {
    expect(parseResolvConf(text)).toEqual({ ...nothing, ...expected });
  });
});

describe('the names to ask for', () => {
  const search = ['a.test', 'b.test'];
  it.each<[string, number, string[]]>([
    ['app', 1, ['app.a.test', 'app.b.test', 'app']],
    ['app.ns', 1, ['app.ns', 'app.ns.a.test', 'app.ns.b.test']],
    ['app.ns', 5, ['app.ns.a.test', 'app.ns.b.test', 'app.ns']],
    ['app', 0, ['app', 'app.a.test', 'app.b.test']],
    ['app.ns.', 5, ['app.ns']],
    [`${'x'.repeat(60)}.${'y'.repeat(188)}`, 5, [`${'x'.repeat(60)}.${'y'.repeat(188)}`]],
  ])('%s with ndots %i', (host, ndots, names) => {
    expect(namesToAsk(host, { search, ndots })).toEqual(names);
  });
});
