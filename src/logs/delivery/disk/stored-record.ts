import type { LogRecord, LogSource } from '../../record.ts';

/** A record as it waits in the buffer. @throws Error when a field is no plain JSON value */
export function writeRecord({ source, start, end, time, nanos, fields }: LogRecord): Buffer {
  return Buffer.from(JSON.stringify([source.key, source.path, source.input, start, end, time, nanos, fields]));
}

/** @returns undefined for what is none: a buffer may hold what another version has written */
export function readRecord(bytes: Buffer): LogRecord | undefined {
  let parts: unknown;
  try {
    parts = JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
  if (!Array.isArray(parts) || parts.length !== 8) return undefined;
  const [key, path, input, start, end, time, nanos, fields] = parts as [
    string,
    string,
    string,
    number,
    number,
    number | null,
    number,
    Record<string, unknown> | null,
  ];
  const areTexts = [key, path, input].every((text) => typeof text === 'string');
  const areNumbers = [start, end, nanos].every((number) => typeof number === 'number');
  if (!areTexts || !areNumbers || typeof fields !== 'object' || fields === null) return undefined;
  // JSON has null for a time that is no number.
  return { source: sourceOf(key, path, input), start, end, time: time ?? NaN, nanos, fields };
}

let last: LogSource | undefined;

/** Neighbours mostly come of the same file, and share it. */
function sourceOf(key: string, path: string, input: string): LogSource {
  if (last?.key === key && last.path === path && last.input === input) return last;
  return (last = { key, path, input });
}
