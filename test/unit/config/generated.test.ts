import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { configJsonSchema, describedConfig, type JsonSchema } from '../../../src/config/json-schema.ts';
import { configReference } from '../../../src/config/reference.ts';

describe('generated documentation', () => {
  it('config/schema.json is fresh; if not: npm run generate', async () => {
    expect(readFileSync('config/schema.json', 'utf8')).toBe(`${JSON.stringify(await configJsonSchema(), null, 2)}\n`);
  });

  it('config/reference.md is fresh; if not: npm run generate', async () => {
    expect(readFileSync('config/reference.md', 'utf8')).toBe(await configReference());
  });

  it('every option has a sentence', async () => {
    const silent = [...undocumented(await describedConfig(), '')];
    expect(silent).toEqual([]);
  });

  it('unknown options are refused everywhere', async () => {
    const open = [...objectsIn(await configJsonSchema(), '')].filter(
      ([, { additionalProperties }]) => additionalProperties === undefined,
    );
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
