import { civilDay, daysInMonth } from '../time/civil.ts';
import { compileReadTime, type TimeOptions } from '../time/read-time.ts';
import { parseOffset } from '../time/rfc3339.ts';
import type { Instant } from '../time/instant.ts';
import { unparsed, type Parse, type ParserType } from './parsed.ts';

/** address, ident, user, [time], "request", status, bytes, and in the combined format "referer" "agent", then what a format adds. */
const line =
  /^([^ "]{1,255}) ([^ "]{1,255}) ([^"[]{1,255}?) \[([^\]"]{1,64})\] "((?:[^"\\]|\\[^])*)" (\d{3}|-) (\d{1,19}|-)(?: "((?:[^"\\]|\\[^])*)" "((?:[^"\\]|\\[^])*)")?(?: (.*))?$/s;

const request = /^([!#$%&'*+\-.^_`|~\w]{1,64}) (.*) (HTTP\/\d(?:\.\d)?)$/s;

/**
 * The common and the combined log format of Apache httpd and nginx (`127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 2326 "-" "curl"`).
 * A `-` is no field. `\"`, `\\` and `\xNN` are what they stand for; bytes that are no UTF-8 keep their `\xNN`. A request
 * that is no request line is `request`.
 */
export function combinedLogParser(type: ParserType & ('nginx' | 'apache'), options: TimeOptions): Parse {
  const readTime = options.time_format === undefined ? undefined : compileReadTime(options);
  return function parseCombinedLog(text, { readAt }) {
    const found = line.exec(text);
    if (found === null) return unparsed(text, type, 'not the combined or common log format');
    const stamp = found[4]!;
    const instant = readTime === undefined ? parseClfTime(stamp) : readTime(stamp, readAt);
    if (instant === undefined) return unparsed(text, type, 'no such time');
    const fields: Record<string, unknown> = { client_address: found[1] };
    if (found[2] !== '-') fields['ident'] = found[2];
    if (found[3] !== '-') fields['user'] = unescapeLog(found[3]!);
    const asked = found[5]!;
    const parts = request.exec(asked);
    if (parts === null) {
      fields['request'] = unescapeLog(asked);
    } else {
      fields['method'] = parts[1];
      fields['path'] = unescapeLog(parts[2]!);
      fields['protocol'] = parts[3];
    }
    if (found[6] !== '-') fields['status'] = Number(found[6]);
    if (found[7] !== '-') fields['bytes_sent'] = exact(found[7]!);
    if (found[8] !== undefined && found[8] !== '-') fields['referer'] = unescapeLog(found[8]);
    if (found[9] !== undefined && found[9] !== '-') fields['user_agent'] = unescapeLog(found[9]);
    if (found[10] !== undefined) fields['message'] = found[10];
    return { fields, instant, fault: undefined };
  };
}

function exact(digits: string): number | string {
  const value = Number(digits);
  return Number.isSafeInteger(value) ? value : digits;
}

const months = 'JanFebMarAprMayJunJulAugSepOctNovDec';

/** `10/Oct/2000:13:55:36 -0700` */
export function parseClfTime(text: string): Instant | undefined {
  const { length } = text;
  if (length !== 26 || text[2] !== '/' || text[6] !== '/' || text[11] !== ':' || text[14] !== ':' || text[17] !== ':') {
    return undefined;
  }
  const month = months.indexOf(text.slice(3, 6));
  if (month < 0 || month % 3 !== 0 || !/^\d\d.{5}\d{4}:\d\d:\d\d:\d\d /.test(text)) return undefined;
  const day = Number(text.slice(0, 2));
  const year = Number(text.slice(7, 11));
  const hour = Number(text.slice(12, 14));
  const minute = Number(text.slice(15, 17));
  const second = Number(text.slice(18, 20));
  const offset = parseOffset(text, 21);
  if (offset === undefined || hour > 23 || minute > 59 || second > 60) return undefined;
  if (day < 1 || day > daysInMonth(year, month / 3 + 1)) return undefined;
  const time = civilDay(year, month / 3 + 1, day) + ((hour * 60 + minute) * 60 + second) * 1000 - offset;
  return { time, nanos: 0 };
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', v: '\v', f: '\f' };

/** Takes back what Apache and nginx escape. Bytes in a row that are UTF-8 become text, others stay as they are written. */
export function unescapeLog(text: string): string {
  if (!text.includes('\\')) return text;
  return text.replace(
    /((?:\\x[0-9A-Fa-f]{2})+)|\\([^])/g,
    (whole, bytes: string | undefined, char: string | undefined) => {
      if (bytes !== undefined) return decodeBytes(bytes);
      if (char === '"' || char === '\\') return char;
      return escapes[char!] ?? whole;
    },
  );
}

function decodeBytes(escaped: string): string {
  const bytes = Buffer.from(escaped.replaceAll('\\x', ''), 'hex');
  try {
    return utf8.decode(bytes);
  } catch {
    return escaped;
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
