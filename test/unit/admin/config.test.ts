import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { adminSchema } from '../../../src/admin/index.ts';

describe('admin options', () => {
  it('listen on loopback unless told otherwise', () => {
    expect(v.parse(adminSchema, {})).toEqual({
      address: { kind: 'tcp', host: '127.0.0.1', port: 9090 },
      allow_remote_mutations: false,
      allowed_hosts: [],
      max_connections: 64,
    });
  });

  it.each([
    ['host names', { allowed_hosts: ['Portico.ops.svc', 'a_b'] }, true],
    ['a host name with port', { allowed_hosts: ['portico:9090'] }, false],
    ['a wildcard', { allowed_hosts: ['*'] }, false],
    ['no connections', { max_connections: 0 }, false],
    ['a word for a flag', { allow_remote_mutations: 'yes' }, false],
    ['an unknown option', { adress: '127.0.0.1:1' }, false],
  ])('%s', (_, options, good) => {
    expect(v.safeParse(adminSchema, options).success).toBe(good);
  });
});
