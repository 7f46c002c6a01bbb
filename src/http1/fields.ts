import { wireFault, type WireFault } from './fault.ts';

/** What the field lines say about the message itself. Filled while they are read, so nothing is looked up again. */
export interface FieldFacts {
  /** Name, value, name, value … without the fields below and without hop-by-hop fields. */
  readonly flat: string[];
  count: number;
  host: string | undefined;
  contentLength: number | undefined;
  /** Exactly `chunked` was said. */
  chunked: boolean;
  /** The options of `Connection`, in lower case. */
  connection: string[] | undefined;
  upgrade: string | undefined;
  expect: string | undefined;
  te: string | undefined;
  keepAlive: string | undefined;
  /** Names of fields to come behind the content, as said. */
  trailer: string | undefined;
}

const isTokenCode = new Uint8Array(256);
for (const char of "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
  isTokenCode[char.charCodeAt(0)] = 1;
/** RFC 9110 §5.5: HTAB, SP, VCHAR, obs-text. */
const isValueCode = new Uint8Array(256);
for (let code = 0x20; code < 256; code++) isValueCode[code] = code === 0x7f ? 0 : 1;
isValueCode[9] = 1;

export function isTokenText(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (isTokenCode[text.charCodeAt(at)] !== 1) return false;
  return text.length > 0;
}

/** Names of 2 to 19 characters that mean something here, by length: most lines are told apart by their length alone. */
const special: ReadonlyMap<number, readonly string[]> = new Map(
  Object.entries(
    Object.groupBy(
      [
        'te',
        'host',
        'expect',
        'trailer',
        'upgrade',
        'connection',
        'keep-alive',
        'content-length',
        'http2-settings',
        'proxy-connection',
        'proxy-authenticate',
        'proxy-authorization',
        'transfer-encoding',
      ],
      (name) => String(name.length),
    ),
  ).map(([length, names]) => [Number(length), names ?? []]),
);

const strictLength = /^(?:0|[1-9][0-9]{0,15})$/;

export interface FieldLimits {
  readonly maxHeadersCount: number;
  /** Refuse names with `_`: many apps read `x_user` and `x-user` as one (CGI, WSGI), so a client could write what the proxy vouches for. */
  readonly rejectUnderscores: boolean;
}

/**
 * Reads the field lines of `text` from `start`, each ended by CRLF; `text` is Latin-1, one code unit a byte, and ends with
 * the last line's CRLF. Strict: no folding, no space before the colon, no control bytes (RFC 9112 §5, §5.1, §5.2).
 */
export function readFields(text: string, start: number, limits: FieldLimits): FieldFacts | WireFault {
  const facts: FieldFacts = {
    flat: [],
    count: 0,
    host: undefined,
    contentLength: undefined,
    chunked: false,
    connection: undefined,
    upgrade: undefined,
    expect: undefined,
    te: undefined,
    keepAlive: undefined,
    trailer: undefined,
  };
  const end = text.length;
  let at = start;
  while (at < end) {
    const nameStart = at;
    let code = text.charCodeAt(at);
    let underscore = false;
    while (isTokenCode[code] === 1) {
      if (code === 95) underscore = true;
      code = text.charCodeAt(++at);
    }
    if (code !== 58) return nameFault(nameStart, at, code);
    if (at === nameStart) return wireFault(400, 'header_name_empty');
    if (underscore && limits.rejectUnderscores) return wireFault(400, 'header_name_with_underscore');
    const name = text.slice(nameStart, at);
    at++;
    while ((code = text.charCodeAt(at)) === 32 || code === 9) at++;
    const valueStart = at;
    while (isValueCode[code] === 1) code = text.charCodeAt(++at);
    if (code !== 13 || text.charCodeAt(at + 1) !== 10)
      return wireFault(400, code === 10 ? 'bare_line_feed' : 'header_value_invalid');
    let valueEnd = at;
    while (valueEnd > valueStart && ((code = text.charCodeAt(valueEnd - 1)) === 32 || code === 9)) valueEnd--;
    at += 2;
    if (++facts.count > limits.maxHeadersCount) return wireFault(431, 'too_many_headers');
    const fault = take(facts, name, text.slice(valueStart, valueEnd));
    if (fault !== undefined) return fault;
  }
  if (facts.connection !== undefined) dropNominated(facts);
  return facts;
}

function nameFault(nameStart: number, at: number, code: number): WireFault {
  if (at === nameStart && (code === 32 || code === 9)) return wireFault(400, 'header_folded');
  if (code === 32 || code === 9) return wireFault(400, 'space_before_colon');
  if (code === 13 || Number.isNaN(code)) return wireFault(400, 'header_without_colon');
  return wireFault(400, code === 10 ? 'bare_line_feed' : 'header_name_invalid');
}

function take(facts: FieldFacts, name: string, value: string): WireFault | undefined {
  const candidates = special.get(name.length);
  if (candidates !== undefined) {
    const lower = name.toLowerCase();
    if (candidates.includes(lower)) return takeSpecial(facts, lower, value);
  }
  facts.flat.push(name, value);
  return undefined;
}

function takeSpecial(facts: FieldFacts, lower: string, value: string): WireFault | undefined {
  switch (lower) {
    case 'host':
      if (facts.host !== undefined) return wireFault(400, 'duplicate_host');
      facts.host = value;
      return undefined;
    case 'content-length':
      if (facts.contentLength !== undefined) return wireFault(400, 'duplicate_content_length');
      if (!strictLength.test(value)) return wireFault(400, 'content_length_invalid');
      facts.contentLength = Number(value);
      return Number.isSafeInteger(facts.contentLength) ? undefined : wireFault(400, 'content_length_invalid');
    case 'transfer-encoding':
      if (facts.chunked) return wireFault(400, 'duplicate_transfer_encoding');
      if (value.toLowerCase() !== 'chunked') return wireFault(400, 'transfer_encoding_not_chunked');
      facts.chunked = true;
      return undefined;
    case 'connection':
      for (const option of value.split(',')) {
        const trimmed = withoutSpace(option).toLowerCase();
        if (trimmed === '') continue;
        if (!isTokenText(trimmed)) return wireFault(400, 'connection_option_invalid');
        (facts.connection ??= []).push(trimmed);
      }
      return undefined;
    case 'upgrade':
      facts.upgrade = facts.upgrade === undefined ? value : `${facts.upgrade}, ${value}`;
      return undefined;
    case 'expect':
      if (facts.expect !== undefined) return wireFault(417, 'duplicate_expect');
      facts.expect = value.toLowerCase();
      return undefined;
    case 'te':
      facts.te = value.toLowerCase();
      return undefined;
    case 'keep-alive':
      facts.keepAlive = value;
      return undefined;
    case 'trailer':
      facts.trailer = facts.trailer === undefined ? value : `${facts.trailer}, ${value}`;
      return undefined;
    default:
      // http2-settings, proxy-*: of this connection only, and nothing to us.
      return undefined;
  }
}

/** Only SP and HTAB are space in a field (RFC 9110 §5.6.3); to `trim` 0xA0 is one, too. */
function withoutSpace(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isSpaceCode(text.charCodeAt(start))) start++;
  while (end > start && isSpaceCode(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isSpaceCode(code: number): boolean {
  return code === 32 || code === 9;
}

/**
 * Removes the fields that `Connection` names (RFC 9110 §7.6.1). Those on which authentication and the app's reading of
 * the message rest stay: a client must not be able to make the proxy forget them.
 */
const kept = new Set([
  'host',
  'content-length',
  'content-type',
  'content-encoding',
  'authorization',
  'cookie',
  'forwarded',
  'x-real-ip',
  'via',
  'close',
  'keep-alive',
]);

function dropNominated(facts: FieldFacts): void {
  const nominated = facts.connection!.filter((option) => !kept.has(option) && !option.startsWith('x-forwarded-'));
  if (nominated.length === 0) return;
  const { flat } = facts;
  let to = 0;
  for (let at = 0; at < flat.length; at += 2) {
    if (nominated.includes(flat[at]!.toLowerCase())) continue;
    flat[to++] = flat[at]!;
    flat[to++] = flat[at + 1]!;
  }
  flat.length = to;
}

/** Field lines as text, each ended by CRLF. `Headers` lets nothing in that would be more than one line. */
export function renderFields(flat: readonly string[]): string {
  let text = '';
  for (let at = 0; at < flat.length; at += 2) text += `${flat[at]!}: ${flat[at + 1]!}\r\n`;
  return text;
}
