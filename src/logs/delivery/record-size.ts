import type { LogRecord } from '../record.ts';

/** Names, quotes, commas, the time and the id that every record is sent with. */
const envelope = 160;
const deepest = 8;

/** About how many bytes a record takes, in memory and on the wire: counts characters, so that it costs next to nothing. */
export function recordSize(record: LogRecord): number {
  return envelope + sizeOf(record.fields, 0);
}

function sizeOf(value: unknown, depth: number): number {
  if (typeof value === 'string') return value.length + 2;
  if (typeof value !== 'object' || value === null) return 8;
  if (depth === deepest) return 64;
  let size = 2;
  if (Array.isArray(value)) {
    for (const item of value) size += sizeOf(item, depth + 1) + 1;
    return size;
  }
  for (const key in value) size += key.length + 4 + sizeOf((value as Record<string, unknown>)[key], depth + 1);
  return size;
}
