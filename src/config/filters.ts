import * as v from 'valibot';
import type { FilterDefinition } from '../filter/define-filter.ts';
import { filterName } from '../filter/load.ts';
import type { OptionPath } from '../options/index.ts';
import { checkExpanded } from './check.ts';
import { suggestion, type SchemaFault } from './explain.ts';
import { nearestPlace, type Place } from './place.ts';
import { httpFilterSchema, rootSchema } from './schema.ts';

/** A place in the chain, as configured. */
export interface ConfiguredFilter {
  readonly id: string;
  readonly name: string;
  readonly definition: FilterDefinition;
  /** Checked against the filter's schema. */
  readonly config: unknown;
  readonly mode: 'enforce' | 'shadow';
  /** Off, except where a route switches it on. */
  readonly disabled: boolean;
  /** Where it is configured, for faults that only its creation finds. */
  readonly path: OptionPath;
}

/** What a route wants otherwise of one filter. */
export interface FilterOverride {
  readonly id: string;
  /** The filter's options with the route's laid over them, checked; undefined when the route changes none. */
  readonly config: unknown;
  /** Whether the filter is off on this route. */
  readonly disabled: boolean;
  readonly path: OptionPath;
}

/** Overrides of one route, by filter id. */
export type RouteOverrides = ReadonlyMap<string, FilterOverride>;

export interface CheckedFilters {
  readonly filters: readonly ConfiguredFilter[];
  /** By virtual host, then route, as they stand in the configuration. */
  readonly overrides: readonly (readonly RouteOverrides[])[];
  readonly faults: readonly SchemaFault[];
}

/** A filter's own schema, or one that takes no options at all. */
export function schemaOf(definition: FilterDefinition): v.GenericSchema {
  return definition.config ?? v.strictObject({});
}

type Options = Record<string, unknown>;
type Use = ConfiguredFilter & { readonly written: Options };

/**
 * Loads every filter and holds its options, and what routes lay over them, against the filter's own schema.
 * @param data the whole configuration as written; parts that the root schema refuses are passed over
 * @param load finds a filter by name or path
 */
export async function checkFilters(
  data: unknown,
  root: Place,
  load: (reference: string) => Promise<FilterDefinition>,
): Promise<CheckedFilters> {
  const faults: SchemaFault[] = [];
  const uses = new Map<string, Use | 'faulty'>();
  const written = isOptions(data) ? data : {};
  const list = listOf(written['http_filters'] ?? v.getDefault(rootSchema.entries.http_filters));
  for (const [index, item] of list.entries()) {
    const use = await checkUse(item, index, root, uses, load);
    if (use === undefined) continue;
    if (use.id !== undefined && !uses.has(use.id)) uses.set(use.id, use.faults === undefined ? use : 'faulty');
    faults.push(...(use.faults ?? []));
  }
  const overrides = listOf(written['virtual_hosts']).map((host, hostIndex) =>
    listOf(isOptions(host) ? host['routes'] : []).map((route, routeIndex) => {
      const path = ['virtual_hosts', hostIndex, 'routes', routeIndex, 'per_filter_config'];
      const checked = checkOverrides(isOptions(route) ? route['per_filter_config'] : {}, path, root, uses);
      faults.push(...checked.faults);
      return checked.overrides;
    }),
  );
  const filters = [...uses.values()].filter((use) => use !== 'faulty').map(({ written: _, ...filter }) => filter);
  return { filters, overrides, faults };
}

async function checkUse(
  item: unknown,
  index: number,
  root: Place,
  uses: ReadonlyMap<string, unknown>,
  load: (reference: string) => Promise<FilterDefinition>,
): Promise<(Use & { faults?: undefined }) | { id: string | undefined; faults: readonly SchemaFault[] } | undefined> {
  const parsed = v.safeParse(httpFilterSchema, item);
  const path: OptionPath = ['http_filters', index];
  if (!parsed.success) {
    // Told by the root schema already; the id is kept so that overrides of it are not called unknown.
    const named = isOptions(item) ? (item['id'] ?? item['name']) : undefined;
    return typeof named === 'string' ? { id: filterName(named), faults: [] } : undefined;
  }
  const { name: reference, id = filterName(reference), mode, disabled } = parsed.output;
  if (uses.has(id)) {
    const message = `a second filter with the id ${JSON.stringify(id)}; give this one an id of its own`;
    return { id, faults: [{ path: [...path, parsed.output.id === undefined ? 'name' : 'id'], message, at: 'value' }] };
  }
  let definition: FilterDefinition;
  try {
    definition = await load(reference);
  } catch (error) {
    return { id, faults: [{ path: [...path, 'name'], message: (error as Error).message, at: 'value' }] };
  }
  const written = ((item as Options)['config'] ?? {}) as Options;
  const at: OptionPath = [...path, 'config'];
  const checked = checkExpanded(schemaOf(definition), written, at, nearestPlace(root, at).place);
  if (checked.faults !== undefined) return { id, faults: checked.faults };
  return { id, name: filterName(reference), definition, config: checked.output, mode, disabled, path, written };
}

function checkOverrides(
  written: unknown,
  path: OptionPath,
  root: Place,
  uses: ReadonlyMap<string, Use | 'faulty'>,
): { overrides: RouteOverrides; faults: readonly SchemaFault[] } {
  const overrides = new Map<string, FilterOverride>();
  const faults: SchemaFault[] = [];
  for (const [id, options] of Object.entries(isOptions(written) ? written : {})) {
    const at: OptionPath = [...path, id];
    const use = uses.get(id);
    if (use === 'faulty' || !isOptions(options)) continue;
    if (use === undefined) {
      const message = `no filter of http_filters has this id${suggestion(id, new Set(uses.keys()))}`;
      faults.push({ path: at, message, at: 'key' });
      continue;
    }
    const override = checkOverride(use, options, at, root);
    if (override.faults === undefined) overrides.set(id, override);
    else faults.push(...override.faults);
  }
  return { overrides, faults };
}

const disabledSchema = v.boolean('must be true or false');

function checkOverride(
  use: Use,
  written: Options,
  path: OptionPath,
  root: Place,
): (FilterOverride & { faults?: undefined }) | { faults: readonly SchemaFault[] } {
  const { disabled = use.disabled, ...options } = written;
  const place = nearestPlace(root, path).place;
  const off = checkExpanded(v.strictObject({ disabled: disabledSchema }), { disabled }, path, place);
  const laidOver = Object.keys(options).length > 0;
  const checked = laidOver
    ? checkExpanded(schemaOf(use.definition), { ...use.written, ...options }, path, place)
    : { output: undefined };
  if (off.faults !== undefined || checked.faults !== undefined) {
    return { faults: [...(off.faults ?? []), ...(checked.faults ?? [])] };
  }
  return { id: use.id, disabled: off.output.disabled, config: checked.output, path };
}

function isOptions(value: unknown): value is Options {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
