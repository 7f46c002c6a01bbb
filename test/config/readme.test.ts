import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseRoleConfig } from '../../src/config/load-role.ts';
import { roles } from '../../src/roles.ts';

describe('the configurations in README.md', () => {
  const blocks = [...readFileSync('README.md', 'utf8').matchAll(/```yaml\n(# (logs|metrics)\.yaml[^]*?)```/g)];

  it.each(blocks.map(([, text, role]) => [role!, text!]))('of %s are good', async (role, text) => {
    const { schema } = await roles[role]!();
    await expect(parseRoleConfig(schema, text, `${role}.yaml`)).resolves.toBeDefined();
  });

  it('show each of the other roles', () => {
    expect(blocks.map(([, , role]) => role)).toEqual(Object.keys(roles));
  });
});
