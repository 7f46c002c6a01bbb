import { createHmac } from 'node:crypto';
import { ConfigError } from '../../options/index.ts';
import type { CounterHandle, Stats } from '../../stats/index.ts';
import { parseFieldPath, type FieldPath } from '../field-path.ts';
import { setField } from '../parse/set-field.ts';
import type { RedactConfig } from './config.ts';
import { compilePattern, patternNames, type Pattern } from './patterns.ts';

type Fields = Record<string, unknown>;

/** Takes out of the fields what is not to be shipped. Changes no object that others may hold: nested ones are copied. */
export type Redact = (fields: Fields) => void;

/** What takes the place of a value; undefined: nothing does. */
type Replace = (value: unknown) => string | undefined;

/** Nested deeper than this nothing is looked at, but cut out: parsers let nothing through that is as deep. */
const deepest = 40;

/** @throws ConfigError with paths below `redact`, when something is to be hashed and there is no key */
export function compileRedact(config: RedactConfig, stats: Stats): Redact | undefined {
  const counters = stats.counter('portico_logs_redacted_total', 'Values that were redacted, by field or pattern.', [
    'by',
  ]);
  const replaceBy = (action: 'replace' | 'hash' | 'remove', text: string, path: (string | number)[]): Replace => {
    if (action === 'remove') return () => undefined;
    if (action === 'replace') return () => text;
    const { hash_secret: key } = config;
    if (key === undefined) throw new ConfigError([{ path, message: 'hash needs hash_secret' }]);
    return (value) => {
      const hash = createHmac('sha256', key).update(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''));
      return `sha256:${hash.digest('hex').slice(0, 32)}`;
    };
  };
  const places = config.fields.map(({ path, action, with: text }, at) => ({
    path: parseFieldPath(path),
    whole: path,
    replace: replaceBy(action, text, ['redact', 'fields', at, 'action']),
    counter: counters.with({ by: path }),
  }));
  const looks = config.patterns.map(({ pattern, name, action, with: text }, at): Look => ({
    pattern: compilePattern(pattern),
    replace: replaceBy(action, text, ['redact', 'patterns', at, 'action']),
    counter: counters.with({ by: name ?? (patternNames.includes(pattern) ? pattern : `pattern_${at}`) }),
  }));
  if (places.length === 0 && looks.length === 0) return undefined;
  return function redact(fields) {
    for (const { path, whole, replace, counter } of places) redactPlace(fields, path, whole, replace, counter);
    if (looks.length > 0) for (const name in fields) setField(fields, name, redactTexts(fields[name], looks, 0));
  };
}

function redactPlace(fields: Fields, path: FieldPath, whole: string, replace: Replace, counter: CounterHandle): void {
  const single = path.length > 1 && Object.hasOwn(fields, whole) ? [whole] : path;
  const changed = without(fields, single, 0, replace, counter) as Fields;
  if (changed === fields) return;
  for (const name in fields) if (!Object.hasOwn(changed, name)) delete fields[name];
  for (const name in changed) if (fields[name] !== changed[name]) setField(fields, name, changed[name]);
}

/** The value with what the path leads to replaced; the very value when it leads to nothing. */
function without(value: unknown, path: FieldPath, at: number, replace: Replace, counter: CounterHandle): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const part = path[at]!;
  const names = part === '*' ? Object.keys(value) : Object.hasOwn(value, part) ? [part] : [];
  let copy: Fields | unknown[] | undefined;
  for (const name of names) {
    const member = (value as Fields)[name];
    const last = at === path.length - 1;
    const changed = last ? replace(member) : without(member, path, at + 1, replace, counter);
    if (changed === member) continue;
    if (last) counter.add();
    copy ??= Array.isArray(value) ? [...(value as unknown[])] : { ...(value as Fields) };
    if (changed !== undefined) setField(copy as Fields, name, changed);
    else if (Array.isArray(copy)) copy[Number(name)] = null;
    else delete copy[name];
  }
  return copy ?? value;
}

interface Look {
  readonly pattern: Pattern;
  readonly replace: Replace;
  readonly counter: CounterHandle;
}

function redactTexts(value: unknown, looks: readonly Look[], depth: number): unknown {
  if (typeof value === 'string') return redactText(value, looks);
  if (typeof value === 'number') return redactNumber(value, looks);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= deepest) return '[too deep]';
  let copy: Fields | unknown[] | undefined;
  for (const name of Object.keys(value)) {
    const member = (value as Fields)[name];
    const changed = redactTexts(member, looks, depth + 1);
    if (changed === member) continue;
    copy ??= Array.isArray(value) ? [...(value as unknown[])] : { ...(value as Fields) };
    setField(copy as Fields, name, changed);
  }
  return copy ?? value;
}

/** A card number may be written as a number, too. */
function redactNumber(value: number, looks: readonly Look[]): unknown {
  if (!Number.isSafeInteger(value) || value < 1e12) return value;
  const text = String(value);
  const changed = redactText(text, looks);
  return changed === text ? value : changed;
}

function redactText(text: string, looks: readonly Look[]): string {
  let result = text;
  for (const { pattern, replace, counter } of looks) {
    if (pattern.hint !== undefined && !result.includes(pattern.hint)) continue;
    const change = (found: string) => {
      if (!pattern.isIt(found)) return found;
      counter.add();
      return replace(found) ?? '';
    };
    result =
      pattern.piecemeal === true && result.length > piece
        ? replaceInPieces(result, pattern.expression, change)
        : result.replace(pattern.expression, change);
  }
  return result;
}

/** Characters that are searched at a time, and how long what is found may be to be found for sure. */
const piece = 4096;
const overlap = 1024;

/** What begins in the last part of a piece is looked for again, with what comes behind it, in the next one. */
function replaceInPieces(text: string, expression: RegExp, change: (found: string) => string): string {
  let result = '';
  for (let at = 0; at < text.length;) {
    const part = text.slice(at, at + piece);
    const last = at + piece >= text.length;
    const limit = last ? part.length : piece - overlap;
    let done = 0;
    for (const match of part.matchAll(expression)) {
      if (match.index >= limit) break;
      result += part.slice(done, match.index) + change(match[0]);
      done = match.index + match[0].length;
    }
    const end = Math.max(done, limit);
    result += part.slice(done, end);
    at += end;
  }
  return result;
}
