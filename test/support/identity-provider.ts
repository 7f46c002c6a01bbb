import { createHmac, createPrivateKey, generateKeyPairSync, sign as signBytes, type KeyObject } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A signing key and what the world may see of it. */
export interface SigningKey {
  readonly kid: string | undefined;
  readonly alg: string;
  readonly privateKey: KeyObject;
  readonly publicJwk: Record<string, unknown>;
  readonly privateJwk: Record<string, unknown>;
}

/** @param bits of an RSA key */
export function makeKey(alg: string, kid?: string, bits = 2048): SigningKey {
  const { privateKey, publicKey } = pairFor(alg, bits);
  const labels = { ...(kid !== undefined && { kid }), alg, use: 'sig' };
  return {
    kid,
    alg,
    privateKey,
    publicJwk: { ...publicKey.export({ format: 'jwk' }), ...labels },
    privateJwk: { ...privateKey.export({ format: 'jwk' }), ...labels },
  };
}

function pairFor(alg: string, bits: number): { privateKey: KeyObject; publicKey: KeyObject } {
  if (alg === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' });
  if (alg === 'ES384') return generateKeyPairSync('ec', { namedCurve: 'P-384' });
  if (alg === 'ES512') return generateKeyPairSync('ec', { namedCurve: 'P-521' });
  if (alg === 'EdDSA' || alg === 'Ed25519') return generateKeyPairSync('ed25519');
  return generateKeyPairSync('rsa', { modulusLength: bits });
}

/** The signature of a JWS signing input (RFC 7518 §3). */
export function signatureOf(input: string, alg: string, key: KeyObject): Buffer {
  const bytes = Buffer.from(input);
  const hash = `sha${alg.slice(2)}`;
  if (alg.startsWith('ES')) return signBytes(hash, bytes, { key, dsaEncoding: 'ieee-p1363' });
  if (alg.startsWith('PS')) return signBytes(hash, bytes, { key, padding: 6, saltLength: Number(alg.slice(2)) / 8 });
  if (alg.startsWith('RS')) return signBytes(hash, bytes, key);
  return signBytes(null, bytes, key);
}

export function hmacOf(input: string, alg: string, secret: string | Uint8Array): Buffer {
  return createHmac(`sha${alg.slice(2)}`, secret)
    .update(input)
    .digest();
}

export function base64url(content: unknown): string {
  const bytes =
    typeof content === 'string' || content instanceof Uint8Array
      ? Buffer.from(content as string)
      : Buffer.from(JSON.stringify(content));
  return bytes.toString('base64url');
}

/** A token of any header and payload, however wrong: strings and bytes are taken as they are, the rest becomes JSON. */
export function forge(header: unknown, payload: unknown, sign: (input: string) => Uint8Array): string {
  const input = `${base64url(header)}.${base64url(payload)}`;
  return `${input}.${base64url(sign(input))}`;
}

/** A proper token by a key; `header` adds to or replaces members of its header. */
export function issue(key: SigningKey, claims: unknown, header: Record<string, unknown> = {}): string {
  const whole = { alg: key.alg, ...(key.kid !== undefined && { kid: key.kid }), ...header };
  return forge(whole, claims, (input) => signatureOf(input, key.alg, key.privateKey));
}

export function jwks(...keys: (SigningKey | Record<string, unknown>)[]): string {
  return JSON.stringify({ keys: keys.map((key) => ('publicJwk' in key ? key.publicJwk : key)) });
}

export function privateKeyFrom(jwk: Record<string, unknown>): KeyObject {
  return createPrivateKey({ key: jwk, format: 'jwk' });
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** An issuer on loopback that publishes a key set, counts who fetches it, and can fall ill. */
export interface IdentityProvider {
  readonly uri: string;
  readonly fetches: number;
  /** From now on it publishes these. */
  publish(...keys: (SigningKey | Record<string, unknown>)[]): void;
  /** From now on it answers so, until `publish`. */
  answer(answer: Answer): void;
  close(): Promise<void>;
}

export async function startIdentityProvider(...keys: SigningKey[]): Promise<IdentityProvider> {
  let fetches = 0;
  let answer: Answer = () => {};
  const publish: IdentityProvider['publish'] = (...published) => {
    const body = jwks(...published);
    answer = (_request, response) => response.setHeader('content-type', 'application/json').end(body);
  };
  publish(...keys);
  const server = createServer((request, response) => {
    fetches++;
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    uri: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`,
    get fetches() {
      return fetches;
    },
    publish,
    answer(next) {
      answer = next;
    },
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
