import { compileReadTime, type TimeOptions } from '../time/read-time.ts';
import type { Instant } from '../time/instant.ts';
import { parseExactly } from './exact-numbers.ts';
import { normalLevel } from './level.ts';
import { deepest, mostFields, unparsed, type Parse, type Parsed } from './parsed.ts';
import { setAside, setField } from './set-field.ts';

export interface JsonOptions extends TimeOptions {
  /** Names of fields, the first that is there counts. */
  readonly time_keys: readonly string[];
  readonly level_keys: readonly string[];
  readonly message_keys: readonly string[];
}

type Job = 'time' | 'level' | 'message';

/** What a key is for, and its place among those for the same. */
interface Role {
  readonly job: Job;
  readonly rank: number;
}

/** A line that is one JSON object (RFC 8259): its members are the fields. Of members of one name the last counts. */
export function jsonParser(options: JsonOptions): Parse {
  const readTime = compileReadTime(options);
  const roles = rolesOf(options);

  function keep(found: Record<string, unknown>, readAt: number): Parsed {
    let timeKey: string | undefined;
    let levelKey: string | undefined;
    let messageKey: string | undefined;
    let [timeRank, levelRank, messageRank] = [Infinity, Infinity, Infinity];
    let instant: Instant | undefined;
    for (const key in found) {
      const role = roles.get(key);
      if (role === undefined) continue;
      const value = found[key];
      if (role.job === 'time') {
        if (role.rank >= timeRank) continue;
        const read = readTime(value, readAt);
        if (read === undefined) continue;
        [timeKey, timeRank, instant] = [key, role.rank, read];
      } else if (role.job === 'level') {
        if (role.rank < levelRank) [levelKey, levelRank] = [key, role.rank];
      } else if (role.rank < messageRank && typeof value === 'string') {
        [messageKey, messageRank] = [key, role.rank];
      }
    }
    const fields: Record<string, unknown> = {};
    if (levelKey !== undefined) fields['level'] = normalLevel(found[levelKey]);
    if (messageKey !== undefined) fields['message'] = found[messageKey];
    for (const key in found) {
      if (key === timeKey || key === levelKey || key === messageKey) continue;
      // A second-best key of the very name that the best one takes over: nothing is lost.
      if ((key === 'level' && levelKey !== undefined) || (key === 'message' && messageKey !== undefined)) {
        setAside(fields, `app_${key}`, found[key], 'app_');
      } else {
        setField(fields, key, found[key]);
      }
    }
    return { fields, instant, fault: undefined };
  }

  return function parseJson(text, { readAt, escaped }) {
    let value: unknown;
    try {
      value = parseExactly(text);
    } catch {
      if (!escaped) return unparsed(text, 'json', 'not JSON');
      try {
        value = parseExactly(asText(text));
      } catch {
        return unparsed(text, 'json', 'not JSON');
      }
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return unparsed(text, 'json', 'JSON, but not an object');
    }
    const left = countFields(value, mostFields, deepest);
    if (left === tooDeep) return unparsed(text, 'json', `more than ${deepest} levels deep`);
    if (left === tooMany) return unparsed(text, 'json', `more than ${mostFields} fields`);
    return keep(value as Record<string, unknown>, readAt);
  };
}

function rolesOf({ time_keys, level_keys, message_keys }: JsonOptions): Map<string, Role> {
  const roles = new Map<string, Role>();
  const jobs: [Job, readonly string[]][] = [
    ['time', time_keys],
    ['level', level_keys],
    ['message', message_keys],
  ];
  for (const [job, keys] of jobs) keys.forEach((key, rank) => roles.has(key) || roles.set(key, { job, rank }));
  return roles;
}

const tooMany = -1;
const tooDeep = -2;

/** How many more values there may be, or that there are too many, or too deep ones. */
function countFields(value: object, most: number, depth: number): number {
  if (depth === 0) return tooDeep;
  let left = most;
  if (Array.isArray(value)) {
    left -= value.length;
    if (left < 0) return tooMany;
    for (const member of value as unknown[]) {
      if (typeof member !== 'object' || member === null) continue;
      left = countFields(member, left, depth - 1);
      if (left < 0) return left;
    }
    return left;
  }
  for (const key in value) {
    if (--left < 0) return tooMany;
    const member = (value as Record<string, unknown>)[key];
    if (typeof member !== 'object' || member === null) continue;
    left = countFields(member, left, depth - 1);
    if (left < 0) return left;
  }
  return left;
}

/** Bytes that are no UTF-8 stand as `\xNN`, which JSON does not know: in its strings they become that text. */
function asText(text: string): string {
  return text.replace(/\\(?:x[0-9A-Fa-f]{2}|[^])/g, (found) => (found.startsWith('\\x') ? `\\${found}` : found));
}
