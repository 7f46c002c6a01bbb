import { jsonParser, type JsonOptions } from './json.ts';
import { logfmtParser } from './logfmt.ts';
import { noParser } from './none.ts';
import type { Parse } from './parsed.ts';

/** Begins with a pair, and has another one: text that happens to contain an `=` does not look like that. */
const likeLogfmt = /^[\w.@/-]{1,64}=(?:"|[^\s"]{0,256} +[\w.@/-]{1,64}=|[^\s"]{0,256} *$)/;

/** JSON when it begins with `{`, logfmt when it begins as that does, else plain text. What only looks like one is plain text, and no fault. */
export function autoParser(options: JsonOptions): Parse {
  const json = jsonParser(options);
  const logfmt = logfmtParser(options);
  const none = noParser();
  return function parseAny(text, reading) {
    const parse = text.charCodeAt(0) === 0x7b ? json : likeLogfmt.test(text) ? logfmt : undefined;
    const parsed = parse?.(text, reading);
    return parsed === undefined || parsed.fault !== undefined ? none(text, reading) : parsed;
  };
}
