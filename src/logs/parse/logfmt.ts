import { compileReadTime } from '../time/read-time.ts';
import type { Instant } from '../time/instant.ts';
import type { JsonOptions } from './json.ts';
import { normalLevel } from './level.ts';
import { mostFields, unparsed, type Parse } from './parsed.ts';
import { setAside, setField } from './set-field.ts';

/**
 * `level=info msg="it works" took=3ms cached`: pairs with a space between them, values bare or quoted with backslash escapes, a bare key is
 * true. All values are text. Of pairs of one key the last counts. A line without a single `=` is not logfmt.
 */
export function logfmtParser(options: JsonOptions): Parse {
  const readTime = compileReadTime(options);
  return function parseLogfmt(text, { readAt }) {
    const pairs = new Map<string, string | true>();
    const fault = readPairs(text, pairs);
    if (fault !== undefined) return unparsed(text, 'logfmt', fault);
    let instant: Instant | undefined;
    for (const key of options.time_keys) {
      instant = readTime(pairs.get(key), readAt);
      if (instant === undefined) continue;
      pairs.delete(key);
      break;
    }
    const fields: Record<string, unknown> = {};
    const level = take(pairs, options.level_keys);
    if (level !== undefined) fields['level'] = normalLevel(numberOrText(level));
    const message = take(pairs, options.message_keys);
    if (message !== undefined) fields['message'] = message;
    for (const [key, value] of pairs) {
      if (Object.hasOwn(fields, key)) setAside(fields, `app_${key}`, value, 'app_');
      else setField(fields, key, value);
    }
    return { fields, instant, fault: undefined };
  };
}

function take(pairs: Map<string, string | true>, keys: readonly string[]): string | undefined {
  for (const key of keys) {
    const value = pairs.get(key);
    if (typeof value !== 'string') continue;
    pairs.delete(key);
    return value;
  }
  return undefined;
}

function numberOrText(value: string): string | number {
  return /^\d\d$/.test(value) ? Number(value) : value;
}

/** @returns what is wrong with the text, if anything is */
export function readPairs(text: string, pairs: Map<string, string | true>): string | undefined {
  const { length } = text;
  let at = 0;
  let valued = false;
  for (;;) {
    while (at < length && text.charCodeAt(at) <= 0x20) at++;
    if (at === length) return valued ? undefined : 'no key=value';
    if (pairs.size >= mostFields) return `more than ${mostFields} fields`;
    const keyStart = at;
    while (at < length && isKey(text.charCodeAt(at))) at++;
    if (at === keyStart) return 'no key before = or "';
    const key = text.slice(keyStart, at);
    if (at === length || text.charCodeAt(at) <= 0x20) {
      pairs.set(key, true);
      continue;
    }
    if (text.charCodeAt(at) === 0x22) return 'a quote in a key';
    at++;
    valued = true;
    if (text.charCodeAt(at) === 0x22) {
      const end = endOfQuoted(text, at);
      if (end < 0) return 'a quote is not closed';
      const value = unquote(text.slice(at + 1, end));
      if (value === undefined) return 'a broken escape';
      pairs.set(key, value);
      at = end + 1;
      if (at < length && text.charCodeAt(at) > 0x20) return 'text behind a closing quote';
    } else {
      const start = at;
      while (at < length && text.charCodeAt(at) > 0x20) {
        if (text.charCodeAt(at) === 0x22) return 'a quote in a value';
        at++;
      }
      pairs.set(key, text.slice(start, at));
    }
  }
}

/** Neither space, `=` nor `"`. */
function isKey(code: number): boolean {
  return code > 0x20 && code !== 0x3d && code !== 0x22;
}

function endOfQuoted(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x5c) at++;
    else if (code === 0x22) return at;
  }
  return -1;
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f', a: '\x07', v: '\v' };

/** Go's and JSON's escapes; a backslash before anything else stays where it is, with what follows it. */
function unquote(text: string): string | undefined {
  if (!text.includes('\\')) return text;
  let broken = false;
  const value = text.replace(
    /\\(?:u([0-9A-Fa-f]{4})|([^]))/g,
    (whole, hex: string | undefined, char: string | undefined) => {
      if (hex !== undefined) return String.fromCharCode(parseInt(hex, 16));
      if (char === '"' || char === '\\') return char;
      if (char === 'u') broken = true;
      return escapes[char!] ?? whole;
    },
  );
  return broken ? undefined : value;
}
