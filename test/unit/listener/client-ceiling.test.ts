import { describe, expect, it } from 'vitest';
import { ClientCeiling, clientOf } from '../../../src/listener/client-ceiling.ts';

describe('a client', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8:1:2::1', '2001:db8:1:2'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['2001:db8::1:2:3:4:5', '2001:db8:0:1'],
    ['::1', '0:0:0:0'],
    ['::', '0:0:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    ['unix', 'unix'],
  ])('of %s is %s', (address, client) => {
    expect(clientOf(address)).toBe(client);
  });
});

describe('the ceiling of a client', () => {
  it('is reached by one client alone, and left when one of its connections closes', () => {
    const ceiling = new ClientCeiling(2);
    ceiling.opened('a');
    expect(ceiling.reached('a')).toBe(false);
    ceiling.opened('a');
    expect(ceiling.reached('a')).toBe(true);
    expect(ceiling.reached('b')).toBe(false);
    ceiling.closed('a');
    expect(ceiling.reached('a')).toBe(false);
    ceiling.closed('a');
    ceiling.closed('a');
    expect(ceiling.reached('a')).toBe(false);
  });

  it('is never reached when it is 0', () => {
    const ceiling = new ClientCeiling(0);
    for (let count = 0; count < 10; count++) ceiling.opened('a');
    expect(ceiling.reached('a')).toBe(false);
  });
});
