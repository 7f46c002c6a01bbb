import type { OptionPath } from '../options/index.ts';

/** Where a value stands in the text, with the values inside it. Offsets count UTF-16 units from the start of the text. */
export interface Place {
  /** First character of the value. */
  readonly at: number;
  /** First character of its key, for a member of a mapping. */
  readonly keyAt: number | undefined;
  readonly members: Map<string | number, Place>;
  /** What was written, when the value was made from `${…}` or `file:`. */
  written?: string;
  /** The value has a fault already, so what its schema says of it is noise. */
  faulty?: boolean;
}

export function makePlace(at: number, keyAt: number | undefined): Place {
  return { at, keyAt, members: new Map() };
}

/** The place of a path, or of the nearest thing around it that was written. */
export function nearestPlace(root: Place, path: OptionPath): { place: Place; exact: boolean } {
  let place = root;
  for (const part of path) {
    const member = place.members.get(part);
    if (member === undefined) return { place, exact: false };
    place = member;
  }
  return { place, exact: true };
}

/** Whether the value at this path, or one around it, has been found faulty already. */
export function isFaulty(root: Place, path: OptionPath): boolean {
  let place: Place | undefined = root;
  if (place.faulty === true) return true;
  for (const part of path) {
    place = place.members.get(part);
    if (place === undefined) return false;
    if (place.faulty === true) return true;
  }
  return false;
}

/** Every place with its path, parents first. */
export function* everyPlace(root: Place, path: OptionPath = []): Generator<[OptionPath, Place]> {
  yield [path, root];
  for (const [part, member] of root.members) yield* everyPlace(member, [...path, part]);
}

/** The value at a path of plain data. */
export function valueAt(data: unknown, path: OptionPath): unknown {
  let value = data;
  for (const part of path) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}

/** Puts a value into plain data, at a path that exists. */
export function putAt(data: unknown, path: OptionPath, value: unknown): void {
  const holder = valueAt(data, path.slice(0, -1)) as Record<string | number, unknown>;
  holder[path.at(-1)!] = value;
}
