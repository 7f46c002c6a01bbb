import { createHash } from 'node:crypto';
import { importJWK } from 'jose';
import { algorithms, sameAlgorithm, type Algorithm, type AlgorithmName } from './algorithms.ts';
import { decodeCanonical } from './compact-token.ts';
import { parseStrictJson } from './strict-json.ts';

type ImportedKey = Awaited<ReturnType<typeof importJWK>>;

/** A key that may verify signatures. */
export interface VerificationKey {
  /** Names the key by what it is: same material, same `kid`, same `alg`. */
  readonly fingerprint: string;
  readonly kid: string | undefined;
  /** The key ready for use, by the algorithms that are allowed and fit it. */
  readonly imported: ReadonlyMap<string, ImportedKey>;
}

/** Where a key set comes from decides what is expected of it. */
export interface KeySetPolicy {
  readonly algorithms: readonly AlgorithmName[];
  /** Somebody's configuration: every doubtful key is an error, secrets (`oct`) are fine. Else: doubtful keys are left out. */
  readonly local: boolean;
}

/** More keys than any issuer needs: it bounds the work that a key set can cause. */
const mostKeys = 256;

/** Keys of one provider at one time. It never changes; another set takes its place. */
export class KeySet {
  readonly #keys: readonly VerificationKey[];
  readonly #fingerprints: ReadonlySet<string>;
  /** Why keys were left out. */
  readonly skipped: readonly string[];

  constructor(keys: readonly VerificationKey[], skipped: readonly string[]) {
    this.#keys = keys;
    this.#fingerprints = new Set(keys.map((key) => key.fingerprint));
    this.skipped = skipped;
  }

  /**
   * The one key for a token's header. A token that names no key gets one only if no other could be meant (RFC 7515 §6);
   * a key is never tried with an algorithm that it is not for (RFC 8725 §3.1).
   */
  find(alg: string, kid: string | undefined): VerificationKey | 'unknown' | 'ambiguous' {
    let found: VerificationKey | undefined;
    for (const key of this.#keys) {
      if (!key.imported.has(alg) || (kid !== undefined && key.kid !== kid)) continue;
      if (found !== undefined) return 'ambiguous';
      found = key;
    }
    return found ?? 'unknown';
  }

  has(fingerprint: string): boolean {
    return this.#fingerprints.has(fingerprint);
  }

  equals(other: KeySet): boolean {
    return this.#keys.length === other.#keys.length && this.#keys.every((key) => other.has(key.fingerprint));
  }
}

/**
 * Reads a JWK Set (RFC 7517 §5). Refused as a whole: what is no key set, a set with private keys, with secrets where the
 * world can read them, with two different keys of one name, and one without any key that the allowed algorithms could use.
 * @throws Error that says what is wrong, without key material
 */
export async function readKeySet(bytes: Uint8Array, policy: KeySetPolicy): Promise<KeySet> {
  const keys = parseStrictJson(bytes, 10_000)?.['keys'];
  if (!Array.isArray(keys)) throw new Error('is not a JWK Set: a JSON object with a member keys');
  if (keys.length > mostKeys) throw new Error(`has ${keys.length} keys; the most is ${mostKeys}`);
  const usable: Candidate[] = [];
  const skipped: string[] = [];
  for (const [index, jwk] of (keys as unknown[]).entries()) {
    const candidate = examine(jwk, index, policy);
    if (typeof candidate === 'string') skipped.push(candidate);
    else if (!usable.some((other) => other.fingerprint === candidate.fingerprint)) usable.push(candidate);
  }
  refuseClashes(usable);
  const imported: VerificationKey[] = [];
  for (const candidate of usable) {
    try {
      imported.push(await importKey(candidate));
    } catch (error) {
      const fault = `${candidate.label} is not a valid ${candidate.kty} key`;
      if (policy.local) throw new Error(fault, { cause: error });
      skipped.push(fault);
    }
  }
  if (imported.length === 0) {
    throw new Error(['has no key that the allowed algorithms can use', ...skipped.slice(0, 5)].join('; '));
  }
  return new KeySet(imported, skipped);
}

interface Candidate {
  readonly label: string;
  readonly fingerprint: string;
  readonly kid: string | undefined;
  readonly kty: string;
  /** The members that make the key, and nothing else. */
  readonly material: Readonly<Record<string, string>>;
  readonly fits: readonly AlgorithmName[];
}

/** Members that make a key of each type (RFC 7518 §6, RFC 8037 §2). */
const materialOf: Record<Algorithm['kty'], readonly string[]> = {
  RSA: ['n', 'e'],
  EC: ['crv', 'x', 'y'],
  OKP: ['crv', 'x'],
  oct: ['k'],
};

/** A key to import, or the reason to leave it out. @throws Error when it spoils the whole set */
function examine(jwk: unknown, index: number, policy: KeySetPolicy): Candidate | string {
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk))
    throw new Error(`keys[${index}] is not a JSON object`);
  const { kty, kid, alg, use, key_ops: keyOps, crv, ...rest } = jwk as Record<string, unknown>;
  const label = `keys[${index}]${typeof kid === 'string' ? ` (kid ${JSON.stringify(kid.slice(0, 64))})` : ''}`;
  if (kid !== undefined && typeof kid !== 'string') throw new Error(`${label} has a kid that is not a string`);
  if (privateMembers.some((member) => Object.hasOwn(rest, member))) {
    throw new Error(`${label} is a private key; give the public one and make a new pair, for this one is known now`);
  }
  if (kty === 'oct' && !policy.local) throw new Error(`${label} is a secret that everybody can read`);
  if (typeof kty !== 'string' || !Object.hasOwn(materialOf, kty))
    return `${label} has a kty that no allowed algorithm uses`;
  if (use !== undefined && use !== 'sig') return `${label} is not for signatures (use)`;
  if (keyOps !== undefined && !(Array.isArray(keyOps) && keyOps.includes('verify'))) {
    return `${label} is not for verifying (key_ops)`;
  }
  if (alg !== undefined && typeof alg !== 'string') throw new Error(`${label} has an alg that is not a string`);
  const material: Record<string, string> = { kty };
  for (const member of materialOf[kty as Algorithm['kty']]) {
    const value = member === 'crv' ? crv : rest[member];
    if (typeof value !== 'string' || value === '') {
      return fault(`${label} has no ${member}, or one that is not a string`, policy);
    }
    material[member] = value;
  }
  const fits = policy.algorithms.filter((name) => {
    const wanted: Algorithm = algorithms[name];
    return (
      wanted.kty === kty &&
      (wanted.crv === undefined || wanted.crv === crv) &&
      (alg === undefined || sameAlgorithm(alg, name))
    );
  });
  if (fits.length === 0) {
    const kind = [kty, crv, alg].filter((part) => typeof part === 'string').join(', ');
    return `${label} (${kind}) fits no allowed algorithm${kty === 'oct' ? '; secrets need HS256, HS384 or HS512 in algorithms' : ''}`;
  }
  const weakness = weaknessOf(material, fits);
  if (weakness !== undefined) return fault(`${label} ${weakness}`, policy);
  const identity = JSON.stringify([kid, alg, material]);
  const fingerprint = createHash('sha256').update(identity).digest('base64url');
  return { label, fingerprint, kid, kty, material, fits };
}

const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'priv'];

function fault(message: string, policy: KeySetPolicy): string {
  if (policy.local) throw new Error(message);
  return message;
}

/** RFC 7518 §3.2, §3.3; RFC 8725 §3.5. */
function weaknessOf(material: Readonly<Record<string, string>>, fits: readonly AlgorithmName[]): string | undefined {
  if (material['kty'] === 'RSA') {
    const modulus = decodeCanonical(material['n']!);
    const exponent = decodeCanonical(material['e']!);
    if (modulus === undefined || exponent === undefined) return 'is not base64url';
    const bits = bitLength(modulus);
    if (bits < 2048) return `is an RSA key of ${bits} bits; 2048 is the least`;
    if (bits > 16384) return `is an RSA key of ${bits} bits; 16384 is the most`;
    if (bitLength(exponent) < 2 || exponent[exponent.length - 1]! % 2 === 0)
      return 'has an RSA exponent that protects nothing';
  }
  if (material['kty'] === 'oct') {
    const secret = decodeCanonical(material['k']!);
    if (secret === undefined) return 'is not base64url';
    const bits = secret.length * 8;
    for (const name of fits) {
      const least = (algorithms[name] as Algorithm).secretBits ?? 0;
      if (bits < least) return `is a secret of ${bits} bits; ${name} needs ${least}`;
    }
  }
  return undefined;
}

function bitLength(bytes: Uint8Array): number {
  const first = bytes.findIndex((byte) => byte !== 0);
  return first < 0 ? 0 : (bytes.length - first) * 8 - (Math.clz32(bytes[first]!) - 24);
}

/** @throws Error when two keys answer to one name, or secrets stand beside public keys */
function refuseClashes(candidates: readonly Candidate[]): void {
  const secrets = candidates.filter((candidate) => candidate.kty === 'oct').length;
  if (secrets > 0 && secrets < candidates.length)
    throw new Error('has secrets beside public keys; give them to two providers');
  for (const [index, one] of candidates.entries()) {
    const twin = candidates
      .slice(index + 1)
      .find(
        (other) =>
          other.kid !== undefined && other.kid === one.kid && other.fits.some((name) => one.fits.includes(name)),
      );
    if (twin !== undefined) throw new Error(`${twin.label} has the kid of another key`);
  }
}

async function importKey(candidate: Candidate): Promise<VerificationKey> {
  const imported = new Map<string, ImportedKey>();
  for (const name of candidate.fits) imported.set(name, await importJWK(candidate.material, name));
  return { fingerprint: candidate.fingerprint, kid: candidate.kid, imported };
}
