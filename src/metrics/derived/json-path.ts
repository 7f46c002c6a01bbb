/** Steps from the top: a member, an item, or all of either. */
export type JsonPath = readonly (string | number | typeof all)[];

export const all = Symbol('*');

/**
 * `queue.depth`, `$.queues[*].depth`, `pools.*["in use"]`, `list[0]`: the part of RFC 9535 that has no filters, slices or descendants.
 * At most 32 steps.
 * @returns undefined when the text is none
 */
export function parseJsonPath(text: string): JsonPath | undefined {
  const steps: (string | number | typeof all)[] = [];
  const step = /(?:\.|^)(\*|[\w-]+)|\[(?:(\*)|(\d{1,9})|"([^"\\]*)"|'([^'\\]*)')\]/y;
  step.lastIndex = text.startsWith('$') ? 1 : 0;
  if (step.lastIndex === text.length) return undefined;
  while (step.lastIndex < text.length) {
    const found = step.exec(text);
    if (found === null || steps.length === 32) return undefined;
    const [, member, star, index, double, single] = found;
    if (star !== undefined || member === '*') steps.push(all);
    else steps.push(index === undefined ? (member ?? double ?? single)! : Number(index));
  }
  return steps;
}

export interface JsonHit {
  readonly value: unknown;
  /** The object or array that has the value. */
  readonly parent: unknown;
  /** What the last `*` stands for. */
  readonly key: string;
}

/** What is at the path, in the order of the document; at most `most`, and then one more so that the reader notices. */
export function findInJson(document: unknown, path: JsonPath, most: number): JsonHit[] {
  let hits: JsonHit[] = [{ value: document, parent: undefined, key: '' }];
  for (const step of path) {
    const next: JsonHit[] = [];
    for (const { value, key } of hits) {
      if (next.length > most) break;
      if (typeof value !== 'object' || value === null) continue;
      if (step === all) {
        for (const name of Object.keys(value)) {
          if (next.push({ value: member(value, name), parent: value, key: name }) > most) break;
        }
      } else if (Object.hasOwn(value, step)) next.push({ value: member(value, step), parent: value, key });
    }
    hits = next;
  }
  return hits;
}

function member(value: object, name: string | number): unknown {
  return (value as Record<string | number, unknown>)[name];
}
