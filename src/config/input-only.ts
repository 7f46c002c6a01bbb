import type * as v from 'valibot';

type Loose = Record<string, unknown>;

/**
 * The same schema without what its pipes do to values. The converter to JSON Schema stops at the first transformation,
 * and would lose the descriptions that stand behind it.
 */
export function inputOnly(schema: v.GenericSchema): v.GenericSchema {
  return strip(schema as unknown as Loose, new Map()) as unknown as v.GenericSchema;
}

function strip(schema: Loose, lazies: Map<unknown, unknown>): Loose {
  if (Array.isArray(schema['pipe'])) {
    const [first, ...rest] = flat(schema['pipe'] as Loose[]);
    const inner = strip(first!, lazies);
    const changes = rest.findIndex(
      ({ kind, type }) => kind === 'schema' || (kind === 'transformation' && !harmless.has(type)),
    );
    const checks = changes < 0 ? rest : rest.slice(0, changes);
    const words = rest.filter((item) => !checks.includes(item) && item['kind'] === 'metadata');
    const kept = [...checks.filter(({ type }) => type !== 'regex'), ...patterns(checks), ...words];
    return { ...inner, pipe: [inner, ...kept] };
  }
  const result: Loose = { ...schema };
  const one = (key: string) => {
    if (isSchema(schema[key])) result[key] = strip(schema[key], lazies);
  };
  ['wrapped', 'item', 'rest', 'key', 'value'].forEach(one);
  if (schema['entries'] !== undefined && schema['type'] !== 'enum') {
    result['entries'] = Object.fromEntries(
      Object.entries(schema['entries'] as Loose).map(([key, entry]) => [key, strip(entry as Loose, lazies)]),
    );
  }
  for (const key of ['options', 'items']) {
    const list = schema[key];
    if (Array.isArray(list))
      result[key] = list.map((option: unknown) => (isSchema(option) ? strip(option, lazies) : option));
  }
  if (schema['type'] === 'lazy') {
    const getter = schema['getter'] as (input: undefined) => Loose;
    const known = lazies.get(getter) ?? (() => strip(getter(undefined), lazies));
    lazies.set(getter, known);
    result['getter'] = known;
  }
  return result;
}

/** Transformations that leave the kind of value as it is. */
const harmless = new Set<unknown>([
  'trim',
  'trim_start',
  'trim_end',
  'to_lower_case',
  'to_upper_case',
  'normalize',
  'readonly',
  'brand',
  'flavor',
]);

/** JSON Schema has no flags for patterns, and one pattern a value: the first that can be written. */
function patterns(checks: readonly Loose[]): Loose[] {
  return checks.filter(({ type, requirement }) => type === 'regex' && (requirement as RegExp).flags === '').slice(0, 1);
}

function flat(pipe: readonly Loose[]): Loose[] {
  return pipe.flatMap((item) => (Array.isArray(item['pipe']) ? flat(item['pipe'] as Loose[]) : [item]));
}

function isSchema(value: unknown): value is Loose {
  return value !== null && typeof value === 'object' && (value as Loose)['kind'] === 'schema';
}
