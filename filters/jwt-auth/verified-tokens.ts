import type { JwtClaims } from './claims.ts';

/** A token that was found good, and what follows from it. */
export interface VerifiedToken {
  readonly claims: JwtClaims;
  /** Name, value, name, value …: what the app is told. */
  readonly headers: readonly string[];
  /** Fingerprint of the key that made the signature. */
  readonly key: string;
  /** Unix milliseconds: not usable before, and not from then on. */
  readonly from: number;
  readonly until: number;
}

/**
 * Remembers verified tokens, the least recently used makes room. The key is the whole token: only tokens that were
 * verified get in, and comparing a kilobyte costs less than hashing it.
 */
export class VerifiedTokens {
  readonly #most: number;
  readonly #longest: number;
  readonly #tokens = new Map<string, VerifiedToken>();

  /**
   * @param most tokens to keep; 0 keeps none
   * @param longest characters of a token that is worth its memory
   */
  constructor(most: number, longest: number) {
    this.#most = most;
    this.#longest = longest;
  }

  get size(): number {
    return this.#tokens.size;
  }

  /** @param now Unix milliseconds */
  get(token: string, now: number): VerifiedToken | undefined {
    const found = this.#tokens.get(token);
    if (found === undefined) return undefined;
    this.#tokens.delete(token);
    if (now >= found.until || now < found.from) return undefined;
    this.#tokens.set(token, found);
    return found;
  }

  add(token: string, verified: VerifiedToken): void {
    if (this.#most === 0 || token.length > this.#longest) return;
    if (this.#tokens.size >= this.#most) {
      for (const oldest of this.#tokens.keys()) {
        this.#tokens.delete(oldest);
        break;
      }
    }
    // A copy: what was cut out of a request head keeps the whole head in memory.
    this.#tokens.set(Buffer.from(token, 'latin1').toString('latin1'), verified);
  }

  /** Forgets tokens whose key is not trusted any more. */
  retain(trusts: (key: string) => boolean): void {
    for (const [token, verified] of this.#tokens) if (!trusts(verified.key)) this.#tokens.delete(token);
  }
}
