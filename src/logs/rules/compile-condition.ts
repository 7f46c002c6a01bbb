import { fieldAt, parseFieldPath } from '../field-path.ts';
import { rankOf } from '../parse/level.ts';
import { longestMatched } from '../pattern/line-pattern.ts';
import type { ConditionConfig } from './config.ts';

type Fields = Readonly<Record<string, unknown>>;
export type Condition = (fields: Fields) => boolean;

/** Compiles one condition; a field that is not there meets none but `exists: false`. */
export function compileCondition(config: ConditionConfig): Condition {
  const path = parseFieldPath(config.field);
  const tests = testsOf(config);
  return function holds(fields) {
    const value = fieldAt(fields, path, config.field);
    if (config.exists !== undefined && (value !== undefined) !== config.exists) return false;
    return tests.every((test) => value !== undefined && test(value));
  };
}

function testsOf(config: ConditionConfig): ((value: unknown) => boolean)[] {
  const tests: ((value: unknown) => boolean)[] = [];
  const { equals, in: choices, prefix, regex, at_least: least, at_most: most, level_at_least: level } = config;
  if (equals !== undefined) tests.push((value) => same(value, equals));
  if (choices !== undefined) tests.push((value) => choices.some((choice) => same(value, choice)));
  if (prefix !== undefined) tests.push((value) => typeof value === 'string' && value.startsWith(prefix));
  if (regex !== undefined)
    tests.push((value) => typeof value === 'string' && value.length <= longestMatched && regex.test(value));
  if (least !== undefined) tests.push((value) => numberOf(value) >= least);
  if (most !== undefined) tests.push((value) => numberOf(value) <= most);
  if (level !== undefined) tests.push((value) => rankOf(value) >= rankOf(level));
  return tests;
}

/** Parsers of text know no numbers: `200` in a configuration means `"200"` of a record as well. */
function same(value: unknown, wanted: string | number | boolean): boolean {
  return value === wanted || (typeof value === 'string' && typeof wanted !== 'string' && value === String(wanted));
}

/** NaN, for which no comparison holds, for what is no number. */
function numberOf(value: unknown): number {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && /^-?\d{1,20}(?:\.\d{1,20})?$/.test(value) ? Number(value) : NaN;
}
