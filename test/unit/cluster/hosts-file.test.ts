import { expect, it } from 'vitest';
import { addressesInHosts } from '../../../src/cluster/hosts-file.ts';

const text = `# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
10.1.2.3 app.example app # the app
10.1.2.4   app\r
10.1.2.3 app
#10.1.2.5 app
not-an-address app
10.1.2.6
`;

it.each([
  ['localhost', ['127.0.0.1', '::1']],
  ['app', ['10.1.2.3', '10.1.2.4']],
  ['App.Example.', ['10.1.2.3']],
  ['example', []],
  ['the', []],
  ['', []],
])('the hosts file knows of %j: %j', (host, addresses) => {
  expect(addressesInHosts(text, host).map(({ address }) => address)).toEqual(addresses);
});

it('tells the family', () => {
  expect(addressesInHosts(text, 'localhost').map(({ family }) => family)).toEqual([4, 6]);
});
