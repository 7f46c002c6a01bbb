/** What the RFCs say about a request head, as regular expressions on the whole of it: a second opinion for the parser. */
export type Reading =
  | { readonly kind: 'refused' }
  | { readonly kind: 'unfinished' }
  | {
      readonly kind: 'accepted';
      /** Names in lower case, with every line, also those that speak of the connection. */
      readonly fields: readonly (readonly [name: string, value: string])[];
      readonly framing: 'none' | 'chunked' | number;
      /** What follows the head. */
      readonly rest: string;
    };

const refused: Reading = { kind: 'refused' };

// RFC 9112 §3: upper case methods, visible ASCII, no fragment, 1.0 and 1.1.
const startLine = /^[A-Z][A-Z0-9_-]* [!"$-~]+ HTTP\/1\.([01])$/;
// RFC 9112 §4.
const statusLine = /^HTTP\/1\.([01]) [1-5][0-9][0-9](?: [\t -~\x80-\xff]*)?$/;
// RFC 9110 §5.1, §5.5, RFC 9112 §5.
const fieldLine =
  /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*((?:[!-~\x80-\xff](?:[ \t!-~\x80-\xff]*[!-~\x80-\xff])?)?)[ \t]*$/;
const connectionOptions = /^[ \t]*(?:[\w!#$%&'*+\-.^`|~]*[ \t]*,[ \t]*)*[\w!#$%&'*+\-.^`|~]*[ \t]*$/;

/** @param text Latin-1: a request from its first byte */
export function readByGrammar(text: string): Reading {
  return readMessage(text, startLine, /_/);
}

/** @param text Latin-1: an answer of an app from its first byte */
export function readAnswerByGrammar(text: string): Reading {
  return readMessage(text, statusLine, /(?!)/);
}

function readMessage(text: string, firstLine: RegExp, refusedNames: RegExp): Reading {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return { kind: 'unfinished' };
  const [start, ...lines] = text.slice(0, end).split('\r\n');
  const version = firstLine.exec(start!)?.[1];
  if (version === undefined) return refused;
  const fields: (readonly [string, string])[] = [];
  for (const line of lines) {
    const field = fieldLine.exec(line);
    if (field === null || refusedNames.test(field[1]!)) return refused;
    fields.push([field[1]!.toLowerCase(), field[2]!]);
  }
  const values = (wanted: string) => fields.filter(([name]) => name === wanted).map(([, value]) => value);
  if (values('connection').some((value) => !connectionOptions.test(value))) return refused;
  if (values('host').length > 1 || values('expect').length > 1) return refused;
  const codings = values('transfer-encoding');
  const lengths = values('content-length');
  if (codings.length + lengths.length > 1) return refused;
  if (codings.length === 1 && (codings[0]!.toLowerCase() !== 'chunked' || version === '0')) return refused;
  if (lengths.length === 1 && (!/^(?:0|[1-9]\d*)$/.test(lengths[0]!) || Number(lengths[0]) > Number.MAX_SAFE_INTEGER))
    return refused;
  const framing = codings.length === 1 ? 'chunked' : lengths.length === 1 ? Number(lengths[0]) : 'none';
  return { kind: 'accepted', fields, framing, rest: text.slice(end + 4) };
}

/** A chunked body that is complete: its content, trailing fields and what follows it. */
export interface ReadChunks {
  readonly body: string;
  readonly trailers: number;
  readonly rest: string;
}

/** RFC 9112 §7.1 on the whole text. Undefined when it is not, or not yet, a chunked body. */
export function readChunksByGrammar(text: string): ReadChunks | undefined {
  let body = '';
  let left = text;
  for (;;) {
    const line = /^([0-9A-Fa-f]{1,13})(?:;[\t -~\x80-\xff]*)?\r\n/.exec(left);
    if (line === null) return undefined;
    const size = Number.parseInt(line[1]!, 16);
    left = left.slice(line[0].length);
    if (size === 0) break;
    if (left.slice(size, size + 2) !== '\r\n') return undefined;
    body += left.slice(0, size);
    left = left.slice(size + 2);
  }
  let trailers = 0;
  while (!left.startsWith('\r\n')) {
    const line = /^[^\r\n]*\r\n/.exec(left);
    const field = line === null ? null : fieldLine.exec(line[0].slice(0, -2));
    if (line === null || field === null || field[1]!.includes('_')) return undefined;
    left = left.slice(line[0].length);
    trailers++;
  }
  return { body, trailers, rest: left.slice(2) };
}

/** How many whole requests a strict reader finds in what a client sends on one connection. */
export function countRequests(text: string): number {
  let left = text;
  for (let count = 0; ; count++) {
    const reading = readByGrammar(withoutEmptyLines(left));
    if (reading.kind !== 'accepted') return count;
    const { framing, rest } = reading;
    if (framing === 'none') left = rest;
    else if (typeof framing === 'number') {
      if (rest.length < framing) return count;
      left = rest.slice(framing);
    } else {
      const chunks = readChunksByGrammar(rest);
      if (chunks === undefined) return count;
      left = chunks.rest;
    }
  }
}

/** RFC 9112 §2.2: some clients send an empty line too many; two are skipped. */
export function withoutEmptyLines(text: string): string {
  return text.replace(/^(?:\r\n){1,2}/, '');
}
