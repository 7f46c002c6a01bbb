import { parseStrictJson } from './strict-json.ts';

/** A token in JWS compact form (RFC 7515 §7.1) whose signature nobody has looked at yet. */
export interface CompactToken {
  readonly text: string;
  readonly alg: string;
  readonly kid: string | undefined;
  readonly typ: string | undefined;
  /** The middle part as it came, base64url. */
  readonly payload: string;
}

/** Header fields are smaller than this anyway; nothing longer is looked at. */
const longest = 64 * 1024;

/**
 * Takes the form apart, strictly: three parts of canonical base64url (no padding, no stray characters, no bits set that
 * decoding drops), a header that is a JSON object without repeated members. jose is lenient there, so one signature
 * would have several spellings. Whatever asks for processing that we do not do is refused: `crit` (RFC 7515 §4.1.11),
 * `b64` (RFC 7797), `zip` and `enc` (encryption). Keys and addresses in the header (`jwk`, `jku`, `x5c`, `x5u`) are not
 * even read (RFC 8725 §3.10). Undefined: malformed.
 */
export function parseCompactToken(text: string): CompactToken | undefined {
  if (text.length > longest) return undefined;
  const parts = text.split('.', 4);
  if (parts.length !== 3 || parts[2] === '') return undefined;
  const head = decodeCanonical(parts[0]!);
  if (head === undefined || decodeCanonical(parts[1]!) === undefined || decodeCanonical(parts[2]!) === undefined)
    return undefined;
  const header = parseStrictJson(head);
  if (header === undefined) return undefined;
  for (const name of unsupported) if (Object.hasOwn(header, name)) return undefined;
  const { alg, kid, typ } = header;
  if (typeof alg !== 'string' || !isOptionalText(kid) || !isOptionalText(typ)) return undefined;
  return { text, alg, kid, typ, payload: parts[1]! };
}

const unsupported = ['crit', 'b64', 'zip', 'enc'];

function isOptionalText(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string';
}

/** Bytes of base64url text, or undefined if another spelling of the same bytes would be the right one. */
export function decodeCanonical(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}
