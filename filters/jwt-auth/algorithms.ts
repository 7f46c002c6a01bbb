/** What a signature algorithm (RFC 7518 §3, RFC 8037, RFC 9864) asks of its key. */
export interface Algorithm {
  readonly kty: 'RSA' | 'EC' | 'OKP' | 'oct';
  readonly crv?: string;
  /** Least length of the secret (RFC 7518 §3.2). */
  readonly secretBits?: number;
}

export const algorithms = {
  RS256: { kty: 'RSA' },
  RS384: { kty: 'RSA' },
  RS512: { kty: 'RSA' },
  PS256: { kty: 'RSA' },
  PS384: { kty: 'RSA' },
  PS512: { kty: 'RSA' },
  ES256: { kty: 'EC', crv: 'P-256' },
  ES384: { kty: 'EC', crv: 'P-384' },
  ES512: { kty: 'EC', crv: 'P-521' },
  EdDSA: { kty: 'OKP', crv: 'Ed25519' },
  Ed25519: { kty: 'OKP', crv: 'Ed25519' },
  HS256: { kty: 'oct', secretBits: 256 },
  HS384: { kty: 'oct', secretBits: 384 },
  HS512: { kty: 'oct', secretBits: 512 },
} as const satisfies Record<string, Algorithm>;

export type AlgorithmName = keyof typeof algorithms;

export const algorithmNames = Object.keys(algorithms) as AlgorithmName[];

/** Those with a public key; a secret shared with the issuer lets everybody who checks tokens also make them. */
export const asymmetricAlgorithms = algorithmNames.filter((name) => algorithms[name].kty !== 'oct');

/** `EdDSA` over Ed25519 and `Ed25519` are one algorithm with two names (RFC 9864 §2.2). */
export function sameAlgorithm(one: string, other: string): boolean {
  return one === other || (ed25519.includes(one) && ed25519.includes(other));
}

const ed25519 = ['EdDSA', 'Ed25519'];
