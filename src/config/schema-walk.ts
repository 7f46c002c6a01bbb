/** What a valibot schema says about the values at a path: read-only walks, none of which runs a check. */
import * as v from 'valibot';

/** The inside of a schema, as far as walks need it: valibot's types erase it. */
export interface BareSchema {
  readonly kind: 'schema';
  readonly type: string;
  readonly message?: unknown;
  readonly entries?: Record<string, v.GenericSchema>;
  readonly rest?: v.GenericSchema;
  readonly item?: v.GenericSchema;
  readonly items?: readonly v.GenericSchema[];
  readonly key?: string | v.GenericSchema;
  readonly value?: v.GenericSchema;
  /** Schemas of a union, variant or intersection; values of a picklist. */
  readonly options?: readonly unknown[];
  readonly literal?: unknown;
}

/** Without the wrappers that say optional, and without what a pipe does after its first schema. */
export function bare(schema: v.GenericSchema, value?: unknown): BareSchema {
  let at = schema as unknown as Record<string, unknown>;
  for (;;) {
    if (Array.isArray(at['pipe'])) at = withoutPipe(at);
    else if (at['type'] === 'lazy') at = (at['getter'] as (input: unknown) => Record<string, unknown>)(value);
    else if ('wrapped' in at) at = at['wrapped'] as Record<string, unknown>;
    else return at as unknown as BareSchema;
  }
}

/** The first schema of a pipe is what takes the input; valibot copies its fields onto the pipe. */
function withoutPipe(schema: Record<string, unknown>): Record<string, unknown> {
  return (schema['pipe'] as Record<string, unknown>[])[0]!;
}

/** A union's or variant's members that this value may have been meant for; else the schema alone. */
export function alternatives(schema: v.GenericSchema, value: unknown): v.GenericSchema[] {
  const inner = bare(schema, value);
  if (inner.type === 'union' || inner.type === 'intersect') {
    return (inner.options as v.GenericSchema[]).flatMap((option) => alternatives(option, value));
  }
  if (inner.type === 'variant') return chosenByKey(inner, value).flatMap((option) => alternatives(option, value));
  return [schema];
}

function chosenByKey(variant: BareSchema, value: unknown): v.GenericSchema[] {
  const options = variant.options as v.GenericSchema[];
  const key = variant.key as string;
  if (value === null || typeof value !== 'object' || !Object.hasOwn(value, key)) return options;
  const found = options.filter((option) => {
    const entry = bare(option, value).entries?.[key];
    return entry === undefined || v.is(entry, (value as Record<string, unknown>)[key]);
  });
  return found.length > 0 ? found : options;
}

/** The schemas that a member of a value is held against. */
export function memberSchemas(schema: v.GenericSchema, value: unknown, part: string | number): v.GenericSchema[] {
  return alternatives(schema, value).flatMap((option) => {
    const inner = bare(option, value);
    let member: v.GenericSchema | undefined;
    if (inner.entries !== undefined) member = inner.entries[part] ?? inner.rest;
    else if (inner.type === 'record') member = inner.value;
    else if (inner.items !== undefined) member = inner.items[part as number] ?? inner.rest;
    else member = inner.item;
    return member === undefined ? [] : [member];
  });
}

/** The schemas that the value at a path is held against. */
export function schemasAt(
  schema: v.GenericSchema,
  value: unknown,
  path: readonly (string | number)[],
): v.GenericSchema[] {
  let found = [schema];
  let at = value;
  for (const part of path) {
    found = found.flatMap((one) => memberSchemas(one, at, part));
    at = at !== null && typeof at === 'object' ? (at as Record<string | number, unknown>)[part] : undefined;
  }
  return found;
}

/** Whether a list can be meant here. */
export function takesList(schema: v.GenericSchema): boolean {
  return alternatives(schema, []).some((option) => {
    const { item, items, type } = bare(option);
    return item !== undefined || items !== undefined || ['any', 'unknown', 'custom', 'instance'].includes(type);
  });
}

/** Whether a mapping can be meant here. */
export function takesMapping(schema: v.GenericSchema): boolean {
  return alternatives(schema, []).some((option) => {
    const { entries, type } = bare(option);
    return (entries !== undefined && type !== 'enum') || type === 'record';
  });
}

/** Names of the options that a mapping may have. */
export function knownKeys(schema: v.GenericSchema, value: unknown): string[] {
  const keys = alternatives(schema, value).flatMap((option) => Object.keys(bare(option, value).entries ?? {}));
  return [...new Set(keys)];
}

/** What was written, with the defaults of what was not: the effective configuration in the form a person writes. */
export function withDefaults(schema: v.GenericSchema, value: unknown): unknown {
  if (value === undefined) {
    const preset: unknown = v.getDefault(schema);
    return preset === undefined ? undefined : withDefaults(schema, preset);
  }
  const options = alternatives(schema, value);
  const fitting = options.find((option) => v.is(option, value)) ?? options[0]!;
  const inner = bare(fitting, value);
  if (Array.isArray(value)) {
    const item = (index: number) => inner.item ?? inner.items?.[index] ?? inner.rest;
    return value.map((one: unknown, index) => withMember(item(index), one));
  }
  if (value === null || typeof value !== 'object') return value;
  const result: Record<string, unknown> = {};
  const rest = inner.type === 'record' ? inner.value : inner.rest;
  for (const [key, one] of Object.entries(value)) result[key] = withMember(inner.entries?.[key] ?? rest, one);
  for (const [key, entry] of Object.entries(inner.entries ?? {})) {
    if (Object.hasOwn(result, key)) continue;
    const preset = withDefaults(entry, undefined);
    if (preset !== undefined) result[key] = preset;
  }
  return result;
}

function withMember(schema: v.GenericSchema | undefined, value: unknown): unknown {
  return schema === undefined ? value : withDefaults(schema, value);
}
