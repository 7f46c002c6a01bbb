import { compileReadTime, type TimeOptions } from '../time/read-time.ts';
import { longestMatched } from '../pattern/line-pattern.ts';
import { unparsed, type Parse } from './parsed.ts';
import { normalLevel } from './level.ts';
import { setField } from './set-field.ts';

export interface RegexOptions extends TimeOptions {
  readonly pattern: RegExp;
}

/**
 * A pattern with named groups, which must match the whole text: the groups are the fields, those that took no part are left
 * out. The group `time` says when it happened, `level` is brought to its usual name. Without a group `message` that is the
 * whole text, so that nothing is lost that is in no group.
 */
export function regexParser(options: RegexOptions): Parse {
  const readTime = compileReadTime(options);
  const { pattern } = options;
  return function parseByPattern(text, { readAt }) {
    if (text.length > longestMatched) return unparsed(text, 'regex', `longer than ${longestMatched} characters`);
    const groups = pattern.exec(text)?.groups;
    if (groups === undefined) return unparsed(text, 'regex', 'the pattern does not match');
    const instant = readTime(groups['time'], readAt);
    const fields: Record<string, unknown> = 'message' in groups ? {} : { message: text };
    for (const name in groups) {
      const value = groups[name];
      if (value === undefined || (name === 'time' && instant !== undefined)) continue;
      setField(fields, name, name === 'level' ? normalLevel(value) : value);
    }
    return { fields, instant, fault: undefined };
  };
}
