import * as v from 'valibot';
import { didYouMean, type Fault, type OptionPath } from '../options/index.ts';
import { valueAt } from './place.ts';
import { alternatives, bare, knownKeys, schemasAt, takesList } from './schema-walk.ts';
import { isSecretKey } from './secret.ts';

/** A fault, and which part of the written option it is shown at. */
export interface SchemaFault extends Fault {
  readonly at: 'key' | 'value' | 'parent';
  /** The option that an unknown one was meant to be. */
  readonly meant?: string | undefined;
}

type Issue = v.BaseIssue<unknown>;

/** Says what an issue of valibot means to the person who wrote the configuration, and what to write instead. */
export function explain(issue: Issue, schema: v.GenericSchema, value: unknown): SchemaFault[] {
  const path = pathOf(issue);
  const last = issue.path?.at(-1);
  if (isObjectType(issue.type) && last !== undefined && 'origin' in last && last.origin === 'key') {
    return issue.expected === 'never' ? unknownOptions(path, schema, value) : [missingOption(path, schema, value)];
  }
  if (issue.type === 'union' && issue.input !== null) return unionFaults(issue, path, schema, value);
  if (issue.type === 'variant' && issue.input === undefined) {
    return [{ path, message: `is required; ${oneOf(issue.expected ?? '')}`, at: 'parent' }];
  }
  if (issue.input === null) return [{ path, message: 'has no value; write one, or delete the line', at: 'value' }];
  const aboutKey = last !== undefined && 'origin' in last && last.origin === 'key';
  return [{ path, message: sentence(issue, path), at: aboutKey ? 'key' : 'value' }];
}

function pathOf(issue: Issue): OptionPath {
  return (issue.path ?? []).map((item) => item.key as string | number);
}

function isObjectType(type: string): boolean {
  return type.endsWith('object') || type === 'object_with_rest';
}

/** valibot stops at the first unknown key of a mapping; all of them are told. */
function unknownOptions(first: OptionPath, schema: v.GenericSchema, value: unknown): SchemaFault[] {
  const parent = first.slice(0, -1);
  const written = valueAt(value, parent);
  const known = new Set(schemasAt(schema, value, parent).flatMap((one) => knownKeys(one, written)));
  return Object.keys(written as object)
    .filter((key) => !known.has(key) || key === first.at(-1))
    .map((key) => ({
      path: [...parent, key],
      message: `unknown option${suggestion(key, known)}`,
      at: 'key',
      meant: didYouMean(key, known),
    }));
}

/** `; did you mean x?`, or what there is to choose from if that is little. */
export function suggestion(word: string, known: ReadonlySet<string>): string {
  const meant = didYouMean(word, known);
  if (meant !== undefined) return `; did you mean ${meant}?`;
  if (known.size === 0) return '; there are none here';
  return known.size <= 12 ? `; known here: ${[...known].join(', ')}` : '';
}

function missingOption(path: OptionPath, schema: v.GenericSchema, value: unknown): SchemaFault {
  const wanted = schemasAt(schema, value, path)[0];
  const hint = wanted === undefined ? '' : `; ${expectation(wanted)}`;
  return { path, message: `is required${hint}`, at: 'parent' };
}

/** What a value must be, as the end of a sentence: `must be a duration such as 15s`. */
function expectation(schema: v.GenericSchema): string {
  const inner = bare(schema);
  if (typeof inner.message === 'string') return inner.message;
  if (inner.type === 'picklist') return `must be one of ${(inner.options ?? []).join(', ')}`;
  if (inner.type === 'literal') return `must be ${String(inner.literal)}`;
  if (inner.type === 'union') {
    return [...new Set(alternatives(schema, undefined).map(expectation))]
      .join(', or ')
      .replaceAll(', or must be', ' or');
  }
  return kinds[inner.type] ?? 'must be a mapping of options';
}

const kinds: Record<string, string> = {
  string: 'must be text',
  number: 'must be a number',
  boolean: 'must be true or false',
  array: 'must be a list',
  tuple: 'must be a list',
  strict_tuple: 'must be a list',
};

/** A union fails as a whole; the member that was most likely meant tells more. */
function unionFaults(issue: Issue, path: OptionPath, schema: v.GenericSchema, value: unknown): SchemaFault[] {
  let best: SchemaFault[] | undefined;
  for (const option of schemasAt(schema, value, path).flatMap((one) => alternatives(one, issue.input))) {
    if (Array.isArray(issue.input) && !takesList(option)) continue;
    const result = v.safeParse(option, issue.input);
    if (result.success) continue;
    // Not even the right kind of thing: a list where text is wanted.
    if (result.issues.some((inner) => inner.path === undefined && inner.kind === 'schema')) continue;
    const faults = result.issues.flatMap((inner) => explain(inner, option, issue.input));
    if (best === undefined || faults.length < best.length) best = faults;
  }
  if (best !== undefined) return best.map((fault) => ({ ...fault, path: [...path, ...fault.path] }));
  const wanted = schemasAt(schema, value, path)[0];
  const message = isDefault(issue.message) && wanted !== undefined ? expectation(wanted) : issue.message;
  return [{ path, message: withValue(message, issue.input, path), at: 'value' }];
}

/** The schema's own words for a value of quite another kind. */
export function whatIsWanted(schema: v.GenericSchema): string {
  const message = v.safeParse(schema, Symbol('nothing that is ever written')).issues?.[0].message;
  return message === undefined || isDefault(message) ? expectation(schema) : message;
}

/** Whether nobody gave this check a message of its own. */
function isDefault(message: string): boolean {
  return message.startsWith('Invalid ');
}

function sentence(issue: Issue, path: OptionPath): string {
  if (!isDefault(issue.message)) {
    // What a rule says of several options together is not about one value.
    const whole = issue.kind !== 'schema' && typeof issue.input === 'object';
    return whole ? issue.message : withValue(issue.message, issue.input, path);
  }
  if (issue.type === 'picklist' || issue.type === 'variant' || issue.type === 'literal' || issue.type === 'enum') {
    const meant = typeof issue.input === 'string' ? didYouMean(issue.input, choices(issue.expected ?? '')) : undefined;
    return (
      withValue(oneOf(issue.expected ?? ''), issue.input, path) +
      (meant === undefined ? '' : `; did you mean ${meant}?`)
    );
  }
  if (issue.kind === 'schema') return withValue(kinds[issue.type] ?? 'must be a mapping of options', issue.input, path);
  return withValue(
    validations[issue.type]?.(issue.expected ?? '') ?? `must be ${issue.expected ?? 'something else'}`,
    issue.input,
    path,
  );
}

const validations: Record<string, (expected: string) => string> = {
  min_length: (expected) => `must have ${atLeast(expected)} entries or characters`,
  max_length: (expected) => `must have ${atMost(expected)} entries or characters`,
  non_empty: () => 'must not be empty',
  min_entries: (expected) => `must have ${atLeast(expected)} entries`,
  max_entries: (expected) => `must have ${atMost(expected)} entries`,
  min_value: (expected) => `must be ${atLeast(expected)}`,
  max_value: (expected) => `must be ${atMost(expected)}`,
  integer: () => 'must be an integer',
  safe_integer: () => 'must be an integer',
  finite: () => 'must be a finite number',
  url: () => 'must be a URL',
  regex: (expected) => `must match ${expected}`,
};

function atLeast(expected: string): string {
  return `at least ${expected.replace('>=', '')}`;
}

function atMost(expected: string): string {
  return `at most ${expected.replace('<=', '')}`;
}

/** valibot writes choices as `("a" | "b" | 1)`. */
function choices(expected: string): string[] {
  return expected
    .replace(/^\(|\)$/g, '')
    .split(' | ')
    .map((choice) => choice.replace(/^"|"$/g, ''));
}

function oneOf(expected: string): string {
  const all = choices(expected);
  return all.length === 1 ? `must be ${all[0]}` : `must be one of ${all.join(', ')}`;
}

/** `must be a number, not "many"`: what was read is often not what was meant. Never shows secrets or long values. */
function withValue(message: string, value: unknown, path: OptionPath): string {
  if (
    !/^must (?:be|have|match) /.test(message) ||
    / not ["\d]/.test(message) ||
    path.some((part) => isSecretKey(String(part)))
  )
    return message;
  const shown = shortly(value);
  if (shown === undefined) return message;
  const [clause, ...rest] = message.split(';');
  return [`${clause}, not ${shown}`, ...rest].join(';');
}

function shortly(value: unknown): string | undefined {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return value === null ? undefined : 'a mapping';
  if (typeof value === 'string') return value.length <= 60 ? JSON.stringify(value) : undefined;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}
