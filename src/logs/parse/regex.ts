import { compileReadTime, type TimeOptions } from '../time/read-time.ts';
import { unparsed, type Parse } from './parsed.ts';
import { normalLevel } from './level.ts';
import { setField } from './set-field.ts';

export interface RegexOptions extends TimeOptions {
  readonly pattern: RegExp;
}

/** Longer texts are not held against patterns: a repetition or two may look at each character as often as there are characters. */
export const longestMatched = 4096;

/**
 * A pattern with named groups, which must match the whole text: the groups are the fields, those that took no part are left
 * out. The group `time` says when it happened, `level` is brought to its usual name.
 */
export function regexParser(options: RegexOptions): Parse {
  const readTime = compileReadTime(options);
  const { pattern } = options;
  return function parseByPattern(text, { readAt }) {
    if (text.length > longestMatched) return unparsed(text, 'regex', `longer than ${longestMatched} characters`);
    const groups = pattern.exec(text)?.groups;
    if (groups === undefined) return unparsed(text, 'regex', 'the pattern does not match');
    const instant = readTime(groups['time'], readAt);
    const fields: Record<string, unknown> = {};
    for (const name in groups) {
      const value = groups[name];
      if (value === undefined || (name === 'time' && instant !== undefined)) continue;
      setField(fields, name, name === 'level' ? normalLevel(value) : value);
    }
    return { fields, instant, fault: undefined };
  };
}
