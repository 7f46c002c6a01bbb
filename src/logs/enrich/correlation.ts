import { fieldAt, parseFieldPath, type FieldPath } from '../field-path.ts';

export interface CorrelationKeys {
  readonly request_id_keys: readonly string[];
  readonly trace_id_keys: readonly string[];
  readonly span_id_keys: readonly string[];
}

/** What joins a record with others of the same request. */
export interface Correlation {
  request_id?: string;
  trace_id?: string;
  span_id?: string;
}

/** https://www.w3.org/TR/trace-context/#traceparent-header-field-values */
const traceparent = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-|$)/;
const longest = 256;

interface Key {
  readonly whole: string;
  readonly path: FieldPath;
}

/** Compiles where ids are looked for; the first key that has one counts. */
export function compileCorrelation(keys: CorrelationKeys): (fields: Readonly<Record<string, unknown>>) => Correlation {
  const compiled = (names: readonly string[]): readonly Key[] =>
    names.map((whole) => ({ whole, path: parseFieldPath(whole) }));
  const requests = compiled(keys.request_id_keys);
  const traces = compiled(keys.trace_id_keys);
  const spans = compiled(keys.span_id_keys);
  return function correlate(fields) {
    const found: Correlation = {};
    const request = firstOf(fields, requests);
    if (request !== undefined) found.request_id = request;
    const trace = firstOf(fields, traces);
    const parts = trace === undefined ? null : traceparent.exec(trace);
    if (parts !== null) {
      found.trace_id = parts[1]!;
      found.span_id = parts[2]!;
    } else if (trace !== undefined) {
      found.trace_id = trace;
    }
    const span = firstOf(fields, spans);
    if (span !== undefined) found.span_id = span;
    return found;
  };
}

function firstOf(fields: Readonly<Record<string, unknown>>, keys: readonly Key[]): string | undefined {
  for (const { whole, path } of keys) {
    const value = fieldAt(fields, path, whole);
    if (typeof value === 'string' && value !== '' && value.length <= longest) return value;
    if (typeof value === 'number') return String(value);
  }
  return undefined;
}
