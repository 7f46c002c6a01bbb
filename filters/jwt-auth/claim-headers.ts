import { isFieldValue, type Headers } from 'portico';
import { own, type JwtClaims } from './claims.ts';

export interface ClaimHeader {
  readonly header_name: string;
  readonly claim_name: string;
}

/** Longest header value made from a claim; apps refuse heads beyond 8 to 16 KiB. */
const longest = 8 * 1024;

/** Header lines for claims, as name, value, name, value …; and how many claims could not be one. */
export function claimHeaders(claims: JwtClaims, wanted: readonly ClaimHeader[]): { lines: string[]; dropped: number } {
  const lines: string[] = [];
  let dropped = 0;
  for (const { header_name: header, claim_name: path } of wanted) {
    const claim = lookUp(claims, path);
    if (claim === undefined || claim === null) continue;
    const value = headerValue(claim);
    if (value === undefined) dropped++;
    else lines.push(header, value);
  }
  return { lines, dropped };
}

/** The claim of that name, be there dots in it; else the path through objects: `realm_access.tenant`. */
function lookUp(claims: JwtClaims, path: string): unknown {
  const whole = own(claims, path);
  if (whole !== undefined) return whole;
  let value: unknown = claims;
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = own(value, name);
  }
  return value;
}

/**
 * A claim as a field value, or undefined when the app would read something else than what the issuer signed: control
 * characters (header injection), spaces at the ends (receivers trim them), numbers beyond 2^53 (parsing rounded them),
 * objects, lists with a comma inside an item. What is not ASCII is sent as UTF-8, as Envoy does.
 */
function headerValue(claim: unknown): string | undefined {
  if (Array.isArray(claim)) {
    const items = claim.map((item) => (Array.isArray(item) ? undefined : scalar(item)));
    if (items.some((item) => item === undefined || item === '' || item.includes(','))) return undefined;
    return fieldValue(items.join(','));
  }
  const text = scalar(claim);
  return text === undefined ? undefined : fieldValue(text);
}

function scalar(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
      return value;
    case 'boolean':
      return String(value);
    case 'number':
      return Number.isFinite(value) && (Number.isSafeInteger(value) || !Number.isInteger(value))
        ? String(value)
        : undefined;
    default:
      return undefined;
  }
}

function fieldValue(text: string): string | undefined {
  if (text.trim() !== text || !text.isWellFormed()) return undefined;
  const bytes = Buffer.from(text, 'utf8').toString('latin1');
  return bytes.length <= longest && isFieldValue(bytes) ? bytes : undefined;
}

/**
 * Removes what only this filter may say, so that a client cannot say it. `X_User` counts as `x-user`: many app servers
 * make the same variable of both. Costs nothing for a request that has no such line.
 */
export function headerStripper(names: readonly string[]): (headers: Headers) => void {
  const reserved = new Set(names.map(canonical));
  const lengths = new Set(names.map((name) => name.length));
  const isReserved = (name: string) => lengths.has(name.length) && reserved.has(canonical(name));
  if (reserved.size === 0) return () => {};
  return (headers) => {
    const { flat } = headers;
    for (let at = 0; at < flat.length; at += 2) {
      if (!isReserved(flat[at]!)) continue;
      headers.filter((name) => !isReserved(name));
      return;
    }
  };
}

function canonical(name: string): string {
  return name.toLowerCase().replaceAll('_', '-');
}
