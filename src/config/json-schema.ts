/** The JSON Schema of a configuration file: what editors complete and check by. Draft-07, which all of them know. */
import { toJsonSchema } from '@valibot/to-json-schema';
import type * as v from 'valibot';
import type { FilterDefinition } from '../filter/define-filter.ts';
import { loadFilter, shippedFilters } from '../filter/load.ts';
import type { Role } from '../role/role.ts';
import { schemaOf } from './filters.ts';
import { rootSchema } from './schema.ts';
import { inputOnly } from './input-only.ts';

/** As much of JSON Schema as is made here. */
export interface JsonSchema {
  $schema?: string;
  $id?: string;
  title?: string;
  description?: string;
  type?: string | string[];
  format?: string;
  pattern?: string;
  default?: unknown;
  const?: unknown;
  enum?: unknown[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  minItems?: number;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  propertyNames?: JsonSchema;
  additionalProperties?: boolean | JsonSchema;
  items?: JsonSchema | JsonSchema[];
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  allOf?: JsonSchema[];
  if?: JsonSchema;
  then?: JsonSchema;
  $ref?: string;
  definitions?: Record<string, JsonSchema>;
  /** As the converter writes definitions, of values that contain themselves. */
  $defs?: Record<string, JsonSchema>;
}

/** What a person may write where a schema is, as JSON Schema. */
export function jsonSchemaOf(schema: v.GenericSchema): JsonSchema {
  const { $schema: _, ...converted } = toJsonSchema(inputOnly(schema), {
    typeMode: 'input',
    target: 'draft-07',
    errorMode: 'ignore',
  });
  return converted as JsonSchema;
}

/** Filters that come with portico, by name. */
export async function shippedDefinitions(): Promise<[name: string, definition: FilterDefinition][]> {
  const names = await shippedFilters();
  return Promise.all(
    names.map(async (name): Promise<[string, FilterDefinition]> => [name, await loadFilter(name, '/')]),
  );
}

/** The whole configuration with the filters that come with portico; formats keep portico's own names. */
export async function describedConfig(): Promise<JsonSchema> {
  const root = jsonSchemaOf(rootSchema);
  attachFilters(root, await shippedDefinitions());
  return root;
}

/** What `portico schema` prints. */
export async function configJsonSchema(): Promise<JsonSchema> {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Portico configuration',
    ...forEditors(await describedConfig()),
  };
}

/** The same for a role that is not the proxy. */
export function roleJsonSchema({ name, schema }: Role): JsonSchema {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: `Portico ${name} configuration`,
    ...forEditors(moveDefinitionsOf(jsonSchemaOf(schema))),
  };
}

function moveDefinitionsOf(schema: JsonSchema): JsonSchema {
  const definitions: Record<string, JsonSchema> = {};
  const moved = moveDefinitions(schema, '', definitions);
  return Object.keys(definitions).length === 0 ? moved : { ...moved, definitions };
}

function attachFilters(root: JsonSchema, filters: readonly [string, FilterDefinition][]): void {
  root.definitions = {};
  const schemas = filters.map(([shipped, definition]) => {
    const schema = moveDefinitions(jsonSchemaOf(schemaOf(definition)), `${shipped}-`, root.definitions!);
    return { shipped, doc: definition.doc, schema };
  });
  const use = root.properties!['http_filters']!.items as JsonSchema;
  const name = use.properties!['name']!;
  use.properties!['name'] = {
    description: name.description ?? '',
    anyOf: [{ enum: schemas.map(({ shipped }) => shipped) }, { type: 'string', pattern: '/|\\.[cm]?[jt]s$|^\\$\\{' }],
  };
  use.allOf = schemas.map(({ shipped, doc, schema }) => ({
    if: { properties: { name: { const: shipped } }, required: ['name'] },
    then: { description: doc, properties: { config: schema } },
  }));

  const host = root.properties!['virtual_hosts']!.items as JsonSchema;
  const route = host.properties!['routes']!.items as JsonSchema;
  const overrides = route.properties!['per_filter_config']!;
  overrides.properties = Object.fromEntries(schemas.map(({ shipped, schema }) => [shipped, asOverride(schema)]));
}

/** Takes a schema's definitions to where all are, under names that do not clash, and points its references there. */
function moveDefinitions(schema: JsonSchema, prefix: string, definitions: Record<string, JsonSchema>): JsonSchema {
  const { $defs = {}, ...rest } = schema;
  const point = (one: JsonSchema): JsonSchema => {
    const inner = mapInside(one, point);
    return inner.$ref === undefined
      ? inner
      : { ...inner, $ref: inner.$ref.replace('#/$defs/', `#/definitions/${prefix}`) };
  };
  for (const [name, definition] of Object.entries($defs)) definitions[prefix + name] = point(definition);
  return point(rest);
}

/** An override gives some of a filter's options, or switches it off. */
function asOverride({ required: _, default: __, ...schema }: JsonSchema): JsonSchema {
  return {
    ...schema,
    properties: {
      disabled: { type: 'boolean', description: 'Switches the filter off (or on) for this route.' },
      ...schema.properties,
    },
  };
}

/** What any value may be written as instead: it is looked at when the configuration is loaded. */
const standIn = '\\$\\{|^file:';

/** Formats of portico's own: `duration` means another thing in JSON Schema, and editors would complain. */
const formatPatterns: Readonly<Record<string, string>> = {
  duration: '^(?:\\d+(?:\\.\\d+)?(?:ms|s|m|h|d))+$|^0$',
  size: '^\\d+(?:\\.\\d+)? ?(?:B|KiB|MiB|GiB|kB|MB|GB)?$',
  address: '^unix:.|:\\d{1,5}$',
};

/** Says the same in JSON Schema's own words, and lets every value be written as `${NAME}`. */
function forEditors(schema: JsonSchema): JsonSchema {
  const { format, propertyNames, ...rest } = mapInside(schema, forEditors);
  const result: JsonSchema = rest;
  const pattern = formatPatterns[format ?? ''] ?? result.pattern;
  if (pattern !== undefined) result.pattern = `${pattern}|${standIn}`;
  if (propertyNames !== undefined && Object.keys(propertyNames).some((key) => key !== 'type')) {
    result.propertyNames = propertyNames;
  }
  if (result.type === 'number' || result.type === 'integer' || result.type === 'boolean') {
    result.type = [result.type, 'string'];
    result.pattern = standIn;
  }
  if (result.enum !== undefined) {
    const { enum: choices, type: _, ...facts } = result;
    return { ...facts, anyOf: [{ enum: choices }, { type: 'string', pattern: standIn }] };
  }
  return result;
}

function mapInside(schema: JsonSchema, change: (inner: JsonSchema) => JsonSchema): JsonSchema {
  const result = { ...schema };
  if (schema.items !== undefined)
    result.items = Array.isArray(schema.items) ? schema.items.map(change) : change(schema.items);
  for (const key of ['anyOf', 'oneOf', 'allOf'] as const) {
    if (schema[key] !== undefined) result[key] = schema[key].map(change);
  }
  for (const key of ['properties', 'definitions'] as const) {
    const members = schema[key];
    if (members === undefined) continue;
    result[key] = Object.fromEntries(Object.entries(members).map(([name, inner]) => [name, change(inner)]));
  }
  // `if` compares names and stays as it is.
  if (schema.then !== undefined) result.then = change(schema.then);
  if (typeof schema.additionalProperties === 'object')
    result.additionalProperties = change(schema.additionalProperties);
  return result;
}
