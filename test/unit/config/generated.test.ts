import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { generatedFiles } from '../../../src/config/generated-files.ts';
import { configJsonSchema, describedConfig, roleJsonSchema, type JsonSchema } from '../../../src/config/json-schema.ts';
import { roles } from '../../../src/roles.ts';

const generated = await generatedFiles();
const roleSchemas = await Promise.all(Object.values(roles).map(async (load) => roleJsonSchema(await load())));

describe('generated documentation', () => {
  it.each(generated)('config/%s is fresh; if not: npm run generate', (name, text) => {
    expect(readFileSync(`config/${name}`, 'utf8')).toBe(text);
  });

  it('every option has a sentence', async () => {
    const all = [await describedConfig(), ...roleSchemas];
    expect(all.flatMap((schema) => [...undocumented(schema, '')])).toEqual([]);
  });

  it('unknown options are refused everywhere', async () => {
    const all = [await configJsonSchema(), ...roleSchemas];
    const open = all
      .flatMap((schema) => [...objectsIn(schema, '')])
      .filter(([, { additionalProperties }]) => additionalProperties === undefined);
    expect(open.map(([path]) => path)).toEqual([]);
  });
});

function* undocumented(schema: JsonSchema, path: string): Generator<string> {
  for (const [at, object] of objectsIn(schema, path)) {
    const members = Object.entries(object.properties ?? {});
    // `{ safe_regex: … }` in a list of texts: the sentence of the list tells what it is.
    if (members.length === 1 && object.description === undefined && !at.endsWith('.config')) continue;
    for (const [name, member] of members) {
      if (member.description === undefined && !at.endsWith('.per_filter_config')) yield `${at}.${name}`;
    }
  }
}

function* objectsIn(schema: JsonSchema, path: string): Generator<[string, JsonSchema]> {
  if (schema.type === 'object' && schema.properties !== undefined) yield [path, schema];
  else if (schema.properties !== undefined)
    for (const [name, member] of Object.entries(schema.properties)) yield* objectsIn(member, `${path}.${name}`);
  for (const choice of [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])]) yield* objectsIn(choice, path);
  for (const { if: condition, then } of schema.allOf ?? []) {
    yield* objectsIn(then!, `${path}(${String(condition!.properties!['name']!.const)})`);
  }
  if (schema.items !== undefined && !Array.isArray(schema.items)) yield* objectsIn(schema.items, `${path}[]`);
  if (typeof schema.additionalProperties === 'object') yield* objectsIn(schema.additionalProperties, `${path}.*`);
  if (schema.type !== 'object') return;
  for (const [name, member] of Object.entries(schema.properties ?? {})) yield* objectsIn(member, `${path}.${name}`);
}
