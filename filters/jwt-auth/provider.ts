import { readFile, stat } from 'node:fs/promises';
import type { FilterContext, Request } from 'portico';
import type { AlgorithmName } from './algorithms.ts';
import { claimHeaders } from './claim-headers.ts';
import { checkClaims, deepFreeze, type ClaimsPolicy } from './claims.ts';
import { parseCompactToken } from './compact-token.ts';
import type { ProviderConfig } from './config.ts';
import { readKeySet, type KeySet } from './key-set.ts';
import { fixedKeys, type KeySource } from './key-source.ts';
import type { DenialReason, Refusal } from './refusal.ts';
import { RemoteKeys } from './remote-keys.ts';
import { verifySignature } from './signature.ts';
import { parseStrictJson } from './strict-json.ts';
import {
  findToken,
  fromCookie,
  fromHeader,
  fromParameter,
  removeToken,
  type TokenSource,
  type ambiguous,
} from './token-source.ts';
import { VerifiedTokens, type VerifiedToken } from './verified-tokens.ts';

/** What a provider tells of its work. */
export interface ProviderStats {
  readonly cacheHit: () => void;
  readonly cacheMiss: () => void;
  readonly claimsDropped: (number: number) => void;
  readonly fetched: () => void;
  readonly fetchFailed: () => void;
  readonly stale: (change: 1 | -1) => void;
}

/** Largest key set that is read, from a file or from the issuer. */
const keySetLimit = 1024 * 1024;

/** An issuer of tokens: finds its tokens in requests and says which are good. */
export class Provider {
  readonly name: string;
  readonly #config: ProviderConfig;
  readonly #policy: ClaimsPolicy;
  readonly #algorithms: ReadonlySet<string>;
  readonly #typ: string | undefined;
  readonly #sources: readonly TokenSource[];
  readonly #verified: VerifiedTokens;
  readonly #keys: KeySource;
  readonly #context: FilterContext;
  readonly #stats: ProviderStats;

  private constructor(
    name: string,
    config: ProviderConfig,
    context: FilterContext,
    stats: ProviderStats,
    local: KeySet | undefined,
  ) {
    this.name = name;
    this.#config = config;
    this.#context = context;
    this.#stats = stats;
    this.#algorithms = new Set(config.algorithms);
    this.#typ = config.required_typ === undefined ? undefined : mediaType(config.required_typ);
    this.#policy = {
      issuer: config.issuer,
      audiences: config.audiences,
      clockSkew: config.clock_skew / 1000,
      requireExpiration: config.require_expiration,
      maxLifetime: config.max_lifetime === undefined ? undefined : config.max_lifetime / 1000,
    };
    this.#sources = sourcesOf(config);
    this.#verified = new VerifiedTokens(config.cache.max_tokens, config.cache.max_token_size);
    this.#keys = local === undefined ? this.#remoteKeys() : fixedKeys(local);
  }

  /** @throws Error when the keys of the configuration cannot be used */
  static async create(
    name: string,
    config: ProviderConfig,
    context: FilterContext,
    stats: ProviderStats,
  ): Promise<Provider> {
    return new Provider(name, config, context, stats, await localKeys(config, context));
  }

  /** Begins to fetch keys, if they are remote. */
  start(): void {
    this.#keys.start();
  }

  close(): void {
    this.#keys.close();
  }

  tokenIn(request: Request): string | undefined | typeof ambiguous {
    return findToken(this.#sources, request);
  }

  /** A token that was verified before and is still good. Never waits. */
  remembered(token: string): VerifiedToken | undefined {
    const found = this.#verified.get(token, this.#context.clock.now());
    if (found !== undefined) this.#stats.cacheHit();
    return found;
  }

  async verify(text: string): Promise<VerifiedToken | Refusal> {
    this.#stats.cacheMiss();
    const token = parseCompactToken(text);
    if (token === undefined) return denied('token_malformed');
    if (!this.#algorithms.has(token.alg)) return denied('algorithm_not_allowed');
    if (this.#typ !== undefined && (token.typ === undefined || mediaType(token.typ) !== this.#typ))
      return denied('type_mismatch');

    if (this.#keys.current() === undefined) await this.#keys.arriving();
    const found = (keys: KeySet) => keys.find(token.alg, token.kid) !== 'unknown';
    const atHand = this.#keys.current();
    if (atHand !== undefined && !found(atHand)) await this.#keys.lookAgain(found);
    const keys = this.#keys.current();
    if (keys === undefined) return { kind: 'unavailable', retryAfter: this.#keys.retryAfter() };
    const key = await verifySignature(token, keys);
    if (typeof key === 'string') return denied(key);

    const claims = parseStrictJson(Buffer.from(token.payload, 'base64url'));
    if (claims === undefined) return denied('claims_malformed');
    deepFreeze(claims);
    const validity = checkClaims(claims, this.#policy, this.#context.clock.now() / 1000);
    if (typeof validity === 'string') return denied(validity);

    const { lines, dropped } = claimHeaders(claims, this.#config.claim_to_headers);
    if (dropped > 0) this.#stats.claimsDropped(dropped);
    if (this.#config.forward_payload_header !== undefined)
      lines.push(this.#config.forward_payload_header, token.payload);
    const verified: VerifiedToken = {
      claims,
      headers: lines,
      key: key.fingerprint,
      from: validity.from * 1000,
      until: validity.until * 1000,
    };
    // The key may have been withdrawn while its signature was checked.
    if (this.#keys.current()?.has(key.fingerprint) === true) this.#verified.add(text, verified);
    return verified;
  }

  /** Tells the app who asks, in place of the token. */
  apply(verified: VerifiedToken, token: string, request: Request): void {
    if (!this.#config.forward) removeToken(this.#sources, request, token);
    const { headers } = verified;
    for (let at = 0; at < headers.length; at += 2) request.headers.append(headers[at]!, headers[at + 1]!);
  }

  #remoteKeys(): KeySource {
    const { remote_jwks: remote, algorithms } = this.#config;
    const { uri, cluster, timeout } = remote!;
    const { clock, timers, log } = this.#context;
    const { fetched, fetchFailed: failed, stale } = this.#stats;
    return new RemoteKeys({
      uri,
      fetch: (signal) =>
        this.#context.fetch(uri, {
          headers: { accept: 'application/jwk-set+json, application/json' },
          ...(cluster !== undefined && { cluster }),
          timeout,
          limit: keySetLimit,
          signal,
        }),
      read: (bytes) => readKeySet(bytes, { algorithms, local: false }),
      changed: (keys) => this.#verified.retain((key) => keys?.has(key) === true),
      cacheDuration: remote!.cache_duration,
      staleFor: remote!.stale_for,
      cooldown: remote!.unknown_key_cooldown,
      clock,
      timers,
      log,
      stats: { fetched, failed, stale },
      random: Math.random,
    });
  }
}

function denied(reason: DenialReason): Refusal {
  return { kind: 'denied', reason };
}

/** RFC 7515 §4.1.9: `at+jwt` is short for `application/at+jwt`. */
function mediaType(typ: string): string {
  const lower = typ.toLowerCase();
  return lower.startsWith('application/') ? lower.slice('application/'.length) : lower;
}

function sourcesOf(config: ProviderConfig): TokenSource[] {
  const sources = [
    ...config.from_headers.map((header) => fromHeader(header.name, header.value_prefix)),
    ...config.from_cookies.map(fromCookie),
    ...config.from_params.map(fromParameter),
  ];
  return sources.length > 0 ? sources : [fromHeader('authorization', 'Bearer ')];
}

async function localKeys(config: ProviderConfig, context: FilterContext): Promise<KeySet | undefined> {
  const local = config.local_jwks;
  if (local === undefined) return undefined;
  const policy: { algorithms: readonly AlgorithmName[]; local: true } = { algorithms: config.algorithms, local: true };
  if (local.filename === undefined) {
    return readKeySet(Buffer.from(local.inline!), policy).catch((error: Error) => {
      throw new Error(`local_jwks.inline: ${error.message}`, { cause: error });
    });
  }
  try {
    return await readKeySet(await readBounded(context.resolvePath(local.filename)), policy);
  } catch (error) {
    throw new Error(`local_jwks.filename: ${local.filename}: ${(error as Error).message}`, { cause: error });
  }
}

async function readBounded(path: string): Promise<Buffer> {
  const { size } = await stat(path);
  if (size > keySetLimit) throw new Error(`is larger than ${keySetLimit} bytes`);
  return readFile(path);
}
