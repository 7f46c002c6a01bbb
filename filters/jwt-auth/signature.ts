import { compactVerify } from 'jose';
import type { CompactToken } from './compact-token.ts';
import type { KeySet, VerificationKey } from './key-set.ts';

/**
 * Whether one of the keys made this token's signature, and which. The algorithm must be an allowed one, and the key one
 * for that algorithm: the token does not get to choose (RFC 8725 §3.1).
 */
export async function verifySignature(
  token: CompactToken,
  keys: KeySet,
): Promise<VerificationKey | 'key_unknown' | 'key_ambiguous' | 'signature_invalid'> {
  const key = keys.find(token.alg, token.kid);
  if (key === 'unknown') return 'key_unknown';
  if (key === 'ambiguous') return 'key_ambiguous';
  try {
    await compactVerify(token.text, key.imported.get(token.alg)!, { algorithms: [token.alg] });
    return key;
  } catch {
    // Whatever jose has against it (wrong length, wrong curve, wrong bytes), it is not a signature by this key.
    return 'signature_invalid';
  }
}
