/** A place in the fields of a record: `user.password`, `items.*.card`. `*` stands for every member. */
export type FieldPath = readonly string[];

/** Deepest path that can be named. */
const deepest = 16;

/** @throws Error whose message says what is wrong with it */
export function parseFieldPath(text: string): FieldPath {
  const path = text.split('.');
  if (path.some((part) => part === '')) throw new Error('must be a field, or the way to one such as user.password');
  if (path.length > deepest) throw new Error(`must have at most ${deepest} parts`);
  return path;
}

/** The value there, of a path without `*`. A field whose very name has dots counts, too: `log.level`. */
export function fieldAt(fields: Readonly<Record<string, unknown>>, path: FieldPath, whole: string): unknown {
  if (path.length > 1 && Object.hasOwn(fields, whole)) return fields[whole];
  let at: unknown = fields;
  for (const part of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, part)) return undefined;
    at = (at as Record<string, unknown>)[part];
  }
  return at;
}
