import { compiled } from './compiled.ts';

/** Longest text that a configured pattern is ever run on is a header section; longer patterns are no help to anybody. */
const longestPattern = 1024;

/**
 * A regular expression that cannot be made to run for ever: JavaScript's engine backtracks, so patterns with a
 * repetition inside a repetition, or with overlapping alternatives under one, or back-references, are refused at load.
 * The pattern must match the whole text, as Envoy's `safe_regex` does.
 */
export function safeRegex() {
  return compiled('must be a regular expression', 'regex', compileSafeRegex);
}

/** @throws Error whose message says what is wrong with the pattern */
export function compileSafeRegex(pattern: string): RegExp {
  if (pattern.length > longestPattern) throw new Error(`is longer than ${longestPattern} characters`);
  let compiled: RegExp;
  try {
    compiled = new RegExp(`^(?:${pattern})$`, 'v');
  } catch {
    try {
      compiled = new RegExp(`^(?:${pattern})$`, 'u');
    } catch (error) {
      throw new Error(`is not a regular expression: ${(error as Error).message}`, { cause: error });
    }
  }
  const danger = catastrophic(pattern);
  if (danger !== undefined) throw new Error(`could take exponential time: ${danger}`);
  return compiled;
}

/**
 * Star height above one is what makes backtracking exponential: `(a+)+`, `(a|a?)*`, `(.*)*`. A group under an unbounded
 * repetition may therefore contain no unbounded repetition and no optional part, unless what follows in the group starts
 * with a literal that cannot be part of it; this check is conservative and does not try to prove such cases harmless.
 */
function catastrophic(pattern: string): string | undefined {
  interface Group {
    repeats: boolean;
    alternatives: boolean;
  }
  const groups: Group[] = [{ repeats: false, alternatives: false }];
  let closed: Group | undefined;
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at]!;
    const top = groups[groups.length - 1]!;
    if (char === '\\') {
      const next = pattern[++at];
      if (next !== undefined && (/[1-9]/.test(next) || next === 'k')) return 'it has a back-reference';
      closed = undefined;
    } else if (char === '[') {
      at = endOfClass(pattern, at);
      closed = undefined;
    } else if (char === '(') {
      if (/^\(\?<?[=!]/.test(pattern.slice(at, at + 4))) return 'it looks ahead or behind';
      groups.push({ repeats: false, alternatives: false });
      closed = undefined;
    } else if (char === ')') {
      closed = groups.pop();
      const parent = groups[groups.length - 1];
      if (parent === undefined) return 'its parentheses do not match';
      if (closed?.repeats === true) parent.repeats = true;
    } else if (char === '|') {
      top.alternatives = true;
      closed = undefined;
    } else if (char === '*' || char === '+' || char === '{') {
      const bounds = char === '{' ? /^\{\d+(?:,(\d*))?\}/.exec(pattern.slice(at)) : null;
      const unbounded =
        char !== '{' || (bounds !== null && bounds[0].includes(',') && (bounds[1] === '' || Number(bounds[1]) > 10));
      if (unbounded && closed !== undefined && closed.repeats) return 'a repetition contains another one';
      if (unbounded && closed !== undefined && closed.alternatives) return 'a repetition contains alternatives';
      if (unbounded) top.repeats = true;
      if (bounds !== null) at += bounds[0].length - 1;
      closed = undefined;
    } else if (char === '?') {
      if (closed !== undefined) top.repeats ||= closed.repeats;
      // `?` after an atom makes it optional, which under a repetition is as bad as one; after a quantifier it means lazy.
      if (!/[*+?}]/.test(pattern[at - 1] ?? '') && pattern[at - 1] !== '(') top.repeats = true;
      closed = undefined;
    } else {
      closed = undefined;
    }
  }
  return undefined;
}

function endOfClass(pattern: string, start: number): number {
  let depth = 0;
  for (let at = start; at < pattern.length; at++) {
    if (pattern[at] === '\\') at++;
    else if (pattern[at] === '[') depth++;
    else if (pattern[at] === ']' && --depth === 0) return at;
  }
  return pattern.length;
}
