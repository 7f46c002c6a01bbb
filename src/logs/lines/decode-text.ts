import { isUtf8 } from 'node:buffer';

/** Bytes as text. Those that are not UTF-8 (RFC 3629) become `\xNN`; `escaped` says that there are some. */
export function decodeText(bytes: Buffer): { readonly text: string; readonly escaped: boolean } {
  if (isUtf8(bytes)) return { text: bytes.toString(), escaped: false };
  let text = '';
  let from = 0;
  let at = 0;
  while (at < bytes.length) {
    const length = sequenceLength(bytes, at);
    if (length > 0) {
      at += length;
      continue;
    }
    if (at > from) text += bytes.toString('utf8', from, at);
    text += `\\x${bytes[at]!.toString(16).padStart(2, '0')}`;
    at++;
    from = at;
  }
  return { text: text + bytes.toString('utf8', from, at), escaped: true };
}

/** Length of the well-formed sequence at an offset, as table 3-7 of the Unicode Standard has them; 0 when there is none. */
function sequenceLength(bytes: Buffer, at: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const second = bytes[at + 1] ?? 0;
  if (first < 0xe0) return continues(second) ? 2 : 0;
  if (first < 0xf0) {
    const least = first === 0xe0 ? 0xa0 : 0x80;
    const most = first === 0xed ? 0x9f : 0xbf;
    return second >= least && second <= most && continues(bytes[at + 2]) ? 3 : 0;
  }
  const least = first === 0xf0 ? 0x90 : 0x80;
  const most = first === 0xf4 ? 0x8f : 0xbf;
  return second >= least && second <= most && continues(bytes[at + 2]) && continues(bytes[at + 3]) ? 4 : 0;
}

function continues(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

/** Where to cut so that no character is cut in two: at most 3 bytes before the length. */
export function wholeCharacters(bytes: Buffer, length: number): number {
  for (let at = length - 1; at >= Math.max(0, length - 3); at--) {
    const byte = bytes[at]!;
    if (byte < 0x80) return length;
    if (byte < 0xc0) continue;
    const needed = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    return at + needed > length ? at : length;
  }
  return length;
}

const trailingEscapes = /(?:\\x[0-9a-f]{2}){1,3}$/;
const leadingEscapes = /^(?:\\x[89ab][0-9a-f]){1,3}/;

/**
 * Joins texts that were one until a container runtime cut them at a fixed number of bytes: a character that it cut in two
 * is one again.
 */
export function joinCutText(
  before: { readonly text: string; readonly escaped: boolean },
  after: { readonly text: string; readonly escaped: boolean },
): { readonly text: string; readonly escaped: boolean } {
  const escaped = before.escaped || after.escaped;
  if (!before.escaped || !after.escaped) return { text: before.text + after.text, escaped };
  const head = trailingEscapes.exec(before.text)?.[0];
  const tail = leadingEscapes.exec(after.text)?.[0];
  if (head === undefined || tail === undefined) return { text: before.text + after.text, escaped };
  const bytes = Buffer.from((head + tail).replaceAll('\\x', ''), 'hex');
  const split = decodeText(bytes);
  const kept = before.text.slice(0, -head.length);
  const rest = after.text.slice(tail.length);
  const text = kept + split.text + rest;
  return { text, escaped: split.escaped || holdsEscape.test(kept) || holdsEscape.test(rest) };
}

const holdsEscape = /\\x[89a-f][0-9a-f]/;
