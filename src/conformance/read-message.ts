/**
 * A request as an app reads it: a second, independent reader of what a proxy sends, stricter than any app. It shares no
 * code with `http1/`, because two readers that agree by being the same prove nothing.
 */
export interface MessageHead {
  /** The bytes without the last CRLF, as Latin-1. */
  readonly text: string;
  readonly method: string;
  readonly target: string;
  readonly minor: 0 | 1;
  /** Names in lower case. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly framing: { readonly chunked: true } | { readonly length: number };
  /** What is not allowed, though everybody reads it the same. */
  readonly oddities: readonly string[];
}

const startLine = /^([!#$%&'*+\-.^_`|~\w]+) ([\x21-\x7e\x80-\xff]+) HTTP\/1\.([01])$/;
const fieldLine = /^([!#$%&'*+\-.^_`|~\w]+):[ \t]*([^\r\n\0]*)$/;
/** RFC 9110 §5.5 */
const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/;

/** The head, or in words why two parsers could read it differently. */
export function readMessageHead(text: string): MessageHead | string {
  const [start, ...lines] = text.slice(0, -2).split('\r\n');
  const line = startLine.exec(start!);
  if (line === null) return 'request line';
  const fields: [string, string][] = [];
  const oddities = new Set<string>();
  for (const one of lines) {
    const field = fieldLine.exec(one);
    if (field === null) return whyNoField(one);
    if (!fieldValue.test(field[2]!)) oddities.add('control byte in a value');
    fields.push([field[1]!.toLowerCase(), field[2]!.replace(/[ \t]+$/, '')]);
  }
  const framing = framingOf(fields);
  if (typeof framing === 'string') return framing;
  if (fields.filter(([name]) => name === 'host').length > 1) return 'more than one Host';
  return {
    text,
    method: line[1]!,
    target: line[2]!,
    minor: line[3] === '1' ? 1 : 0,
    fields,
    framing,
    oddities: [...oddities],
  };
}

function whyNoField(line: string): string {
  if (/^[ \t]/.test(line)) return 'folded field';
  if (line.includes('\n')) return 'bare LF';
  if (line.includes('\r')) return 'bare CR';
  if (line.includes('\0')) return 'NUL';
  if (/^[^:]*[ \t]:/.test(line)) return 'space before a colon';
  return line.includes(':') ? 'invalid field name' : 'field without a colon';
}

function framingOf(fields: readonly (readonly [string, string])[]): MessageHead['framing'] | string {
  const lengths: string[] = [];
  const codings: string[] = [];
  for (const [name, value] of fields) {
    if (name === 'content-length') lengths.push(value);
    else if (name === 'transfer-encoding') codings.push(value);
    // Apps that see headers as environment variables read both spellings as one.
    else if (name.replaceAll('_', '-') === 'content-length' || name.replaceAll('_', '-') === 'transfer-encoding')
      return name;
  }
  if (lengths.length > 0 && codings.length > 0) return 'Content-Length with Transfer-Encoding';
  if (lengths.length > 1) return 'more than one Content-Length';
  if (codings.length > 1) return 'more than one Transfer-Encoding';
  if (codings.length === 1)
    return codings[0]!.toLowerCase() === 'chunked' ? { chunked: true } : 'Transfer-Encoding that is not chunked';
  if (lengths.length === 0) return { length: 0 };
  if (!/^\d{1,16}$/.test(lengths[0]!)) return 'invalid Content-Length';
  // Some parsers read 010 as eight.
  return /^0\d/.test(lengths[0]!) ? 'Content-Length with leading zeros' : { length: Number(lengths[0]) };
}

/** As much content as has come. `rest` is undefined while it is incomplete. */
export interface MessageContent {
  readonly body: Buffer;
  readonly rest: Buffer | undefined;
  readonly invalid: boolean;
}

export function readMessageContent({ framing }: MessageHead, bytes: Buffer): MessageContent {
  if ('chunked' in framing) return readChunks(bytes);
  const { length } = framing;
  return {
    body: bytes.subarray(0, length),
    rest: bytes.length < length ? undefined : bytes.subarray(length),
    invalid: false,
  };
}

function readChunks(bytes: Buffer): MessageContent {
  const parts: Buffer[] = [];
  let at = 0;
  const result = (rest: Buffer | undefined, invalid = false) => ({ body: Buffer.concat(parts), rest, invalid });
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return result(undefined, !/^[0-9a-f]*(?:;[^\n]*)?\r?$/i.test(bytes.toString('latin1', at)));
    const line = bytes.toString('latin1', at, lineEnd);
    if (!/^[0-9a-f]+(?:;[\t\x20-\x7e\x80-\xff]*)?$/i.test(line)) return result(undefined, true);
    const size = Number.parseInt(line, 16);
    at = lineEnd + 2;
    if (size === 0) {
      const trailersEnd = bytes.toString('latin1', at, at + 2) === '\r\n' ? at - 2 : bytes.indexOf('\r\n\r\n', at);
      if (trailersEnd < 0) return result(undefined);
      const trailers = bytes.toString('latin1', at, Math.max(at, trailersEnd)).split('\r\n');
      if (trailersEnd >= at && !trailers.every((trailer) => fieldLine.test(trailer))) return result(undefined, true);
      return result(bytes.subarray(trailersEnd + 4));
    }
    parts.push(bytes.subarray(at, Math.min(bytes.length, at + size)));
    if (bytes.length < at + size + 2) return result(undefined);
    if (bytes.toString('latin1', at + size, at + size + 2) !== '\r\n') return result(undefined, true);
    at += size + 2;
  }
}
