import * as v from 'valibot';
import { showPath, type OptionPath } from '../options/index.ts';
import { explain, whatIsWanted, type SchemaFault } from './explain.ts';
import { nearestPlace, putAt, valueAt, type Place } from './place.ts';
import { memberSchemas, takesList, takesMapping } from './schema-walk.ts';

export type Checked<Output> =
  | { readonly output: Output; readonly faults?: undefined }
  | { readonly output?: undefined; readonly faults: readonly SchemaFault[] };

/**
 * Holds a value against a schema and tells everything that is wrong with it.
 * @param path of the value in the configuration, for faults
 */
export function check<const S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  path: OptionPath = [],
): Checked<v.InferOutput<S>> {
  let result: v.SafeParseResult<S>;
  try {
    result = v.safeParse(schema, value);
  } catch (error) {
    // A user's schema runs a user's code.
    return { faults: [{ path, message: `cannot be checked: ${(error as Error).message}`, at: 'value' }] };
  }
  const lists = listsForMappings(schema, value);
  if (result.success && lists.length === 0) return { output: result.output };
  const issues = result.issues?.flatMap((issue) => explain(issue, schema, value)) ?? [];
  const outside = issues.filter(({ path: at }) => !lists.some((list) => startsWith(at, list.path)));
  const faults = withoutEchoes(oneForEachValue([...lists, ...outside], value));
  return { faults: faults.map((fault) => ({ ...fault, path: [...path, ...fault.path] })) };
}

/** A list where a mapping is wanted: valibot would take it for one with the keys 0, 1, 2. */
function listsForMappings(schema: v.GenericSchema, value: unknown, path: OptionPath = []): SchemaFault[] {
  if (value === null || typeof value !== 'object') return [];
  if (Array.isArray(value) && takesMapping(schema) && !takesList(schema)) {
    return [{ path, message: `${whatIsWanted(schema)}, not a list`, at: 'value' }];
  }
  const members: [string | number, unknown][] = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  return members.flatMap(([part, member]) => {
    const [wanted, ...others] = memberSchemas(schema, value, part);
    return wanted === undefined || others.length > 0 ? [] : listsForMappings(wanted, member, [...path, part]);
  });
}

function startsWith(path: OptionPath, start: OptionPath): boolean {
  return start.every((part, index) => path[index] === part);
}

/** A text that fails one check fails most that follow; the first tells. Rules about several options are all told. */
function oneForEachValue(faults: readonly SchemaFault[], value: unknown): SchemaFault[] {
  const told = new Set<string>();
  return faults.filter(({ path, at }) => {
    const here = valueAt(value, path);
    if (at !== 'value' || (typeof here === 'object' && here !== null)) return true;
    const shown = showPath(path);
    return !told.has(shown) && told.add(shown);
  });
}

/** A misspelt option is missing under its right name as well; one fault says it. */
function withoutEchoes(faults: readonly SchemaFault[]): SchemaFault[] {
  const meant = new Set(faults.map((fault) => fault.meant && showPath([...fault.path.slice(0, -1), fault.meant])));
  return faults.filter((fault) => fault.at !== 'parent' || !meant.has(showPath(fault.path)));
}

/**
 * The same for values some of which were `${NAME}` alone: those are text, and become the number or the boolean that they
 * look like where the option does not take text. `value` is changed accordingly.
 */
export function checkExpanded<const S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  path: OptionPath,
  place: Place,
): Checked<v.InferOutput<S>> {
  const asText = check(schema, value, path);
  if (asText.faults === undefined) return asText;
  let changed = false;
  for (const fault of asText.faults) {
    const inside = fault.path.slice(path.length);
    const found = nearestPlace(place, inside);
    if (inside.length === 0 || !found.exact || !loneVariable.test(found.place.written ?? '')) continue;
    const typed = typedText(valueAt(value, inside));
    if (typed === undefined) continue;
    putAt(value, inside, typed);
    changed = true;
  }
  return changed ? check(schema, value, path) : asText;
}

const loneVariable = /^\$\{[^}]*\}$/;

function typedText(text: unknown): number | boolean | undefined {
  if (typeof text !== 'string') return undefined;
  if (/^(?:true|false)$/i.test(text)) return text.toLowerCase() === 'true';
  return /^[-+]?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[-+]?\d+)?$/i.test(text) ? Number(text) : undefined;
}
