import { localReply, type LocalReply } from 'portico';

/** The answer to a request that may not pass, before it is one. */
export type Refusal =
  | { readonly kind: 'denied'; readonly reason: DenialReason }
  | { readonly kind: 'unavailable'; readonly retryAfter: number };

const expired = 'The access token expired';
const early = 'The access token is not valid yet';
const invalid = 'The access token is not valid';
const several = 'More than one access token was sent';

/**
 * Why a token is refused: the names are for the access log, the sentences for the client, who learns what helps an honest
 * one and nothing about keys and settings. In the order in which a token meets the checks.
 */
const denials = {
  token_missing: { status: 401, error: undefined, description: undefined },
  token_ambiguous: { status: 400, error: 'invalid_request', description: several },
  token_malformed: { status: 401, error: 'invalid_token', description: invalid },
  algorithm_not_allowed: { status: 401, error: 'invalid_token', description: invalid },
  type_mismatch: { status: 401, error: 'invalid_token', description: invalid },
  key_unknown: { status: 401, error: 'invalid_token', description: invalid },
  key_ambiguous: { status: 401, error: 'invalid_token', description: invalid },
  signature_invalid: { status: 401, error: 'invalid_token', description: invalid },
  claims_malformed: { status: 401, error: 'invalid_token', description: invalid },
  issuer_mismatch: { status: 401, error: 'invalid_token', description: invalid },
  audience_mismatch: { status: 401, error: 'invalid_token', description: invalid },
  lifetime_too_long: { status: 401, error: 'invalid_token', description: invalid },
  token_not_yet_valid: { status: 401, error: 'invalid_token', description: early },
  token_expired: { status: 401, error: 'invalid_token', description: expired },
} as const;

export type DenialReason = keyof typeof denials;

const order = Object.keys(denials) as DenialReason[];

/** Several providers refused: a key set that cannot be had leaves the question open; else the one whose checks went furthest speaks. */
export function tellingRefusal(one: Refusal | undefined, other: Refusal): Refusal {
  if (one === undefined || one.kind === 'unavailable') return one ?? other;
  if (other.kind === 'unavailable') return other;
  return order.indexOf(other.reason) > order.indexOf(one.reason) ? other : one;
}

/** RFC 6750 §3: without a token just the challenge, with a bad one also the reason. */
export function refusalReply(refusal: Refusal, realm: string): LocalReply {
  if (refusal.kind === 'unavailable') {
    return localReply(503, 'jwt_jwks_unavailable', {
      flag: 'UAEX',
      headers: { 'retry-after': String(refusal.retryAfter) },
      body: 'tokens cannot be checked at the moment\n',
    });
  }
  const { status, error, description } = denials[refusal.reason];
  let challenge = `Bearer realm="${realm}"`;
  if (error !== undefined) challenge += `, error="${error}", error_description="${description}"`;
  return localReply(status, `jwt_authn_access_denied{${refusal.reason}}`, {
    flag: 'UAEX',
    headers: { 'www-authenticate': challenge },
    body: `${description ?? 'An access token is required'}\n`,
  });
}

/** No token would help: the configuration has no place for this request. */
export function noRuleReply(): LocalReply {
  return localReply(403, 'jwt_no_rule_matched', { flag: 'UAEX', body: 'forbidden\n' });
}
