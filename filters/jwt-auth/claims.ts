/** The payload of a verified token. Frozen all through: tokens are cached and shared by requests. */
export type JwtClaims = Readonly<Record<string, unknown>>;

/** What a provider asks of claims. Durations in seconds. */
export interface ClaimsPolicy {
  readonly issuer: string | undefined;
  /** Any of them; empty: not checked. */
  readonly audiences: readonly string[];
  readonly clockSkew: number;
  readonly requireExpiration: boolean;
  readonly maxLifetime: number | undefined;
}

export type ClaimsFault =
  | 'claims_malformed'
  | 'token_expired'
  | 'token_not_yet_valid'
  | 'lifetime_too_long'
  | 'issuer_mismatch'
  | 'audience_mismatch';

/** When a token may be used: Unix seconds, the clock skew included. From the first on, before the second. */
export interface Validity {
  readonly from: number;
  readonly until: number;
}

/** RFC 7519 §4.1, each claim strictly of its type. @param now Unix seconds */
export function checkClaims(claims: JwtClaims, policy: ClaimsPolicy, now: number): Validity | ClaimsFault {
  if (policy.issuer !== undefined && own(claims, 'iss') !== policy.issuer) return 'issuer_mismatch';
  if (policy.audiences.length > 0) {
    const audience = audienceOf(claims);
    if (audience === undefined || !audience.some((one) => policy.audiences.includes(one))) return 'audience_mismatch';
  }
  const exp = own(claims, 'exp');
  const nbf = own(claims, 'nbf');
  const iat = own(claims, 'iat');
  if (!isOptionalDate(exp) || !isOptionalDate(nbf) || !isOptionalDate(iat)) return 'claims_malformed';
  if (exp === undefined && policy.requireExpiration) return 'claims_malformed';
  const until = exp === undefined ? Infinity : exp + policy.clockSkew;
  const from = nbf === undefined ? -Infinity : nbf - policy.clockSkew;
  if (now >= until) return 'token_expired';
  if (now < from) return 'token_not_yet_valid';
  if (policy.maxLifetime !== undefined) {
    // An issue date in the future shortens nothing.
    const begin = Math.min(iat ?? now, now);
    if (exp === undefined || exp - begin > policy.maxLifetime) return 'lifetime_too_long';
  }
  return { from, until };
}

/** A claim's value, from the token and not from Object.prototype. */
export function own(claims: object, name: string): unknown {
  return Object.hasOwn(claims, name) ? (claims as Record<string, unknown>)[name] : undefined;
}

/** NumericDate (RFC 7519 §2) is a JSON number; `1e400` parses as Infinity and would never expire. */
function isOptionalDate(value: unknown): value is number | undefined {
  return value === undefined || (typeof value === 'number' && Number.isFinite(value));
}

function audienceOf(claims: JwtClaims): readonly string[] | undefined {
  const aud = own(claims, 'aud');
  if (typeof aud === 'string') return [aud];
  return Array.isArray(aud) && aud.every((one): one is string => typeof one === 'string') ? aud : undefined;
}

export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}
