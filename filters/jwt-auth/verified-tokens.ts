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

interface Remembered {
  readonly verified: VerifiedToken;
  /** Since it was last passed over when room was needed. */
  used: boolean;
}

/** Tokens at most that are passed over because they were used, before one has to go all the same. */
const mostPassedOver = 64;

/**
 * Remembers verified tokens; one that was not used lately makes room (second chance, the CLOCK of operating systems). The key is
 * the whole token: only tokens that were verified get in, and comparing a kilobyte costs less than hashing it.
 *
 * A use changes no Map: one that lives long and changes often makes its table anew among the old objects, where the former one
 * stays until a full collection of garbage.
 */
export class VerifiedTokens {
  readonly #most: number;
  readonly #longest: number;
  readonly #tokens = new Map<string, Remembered>();

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
    const { verified } = found;
    if (now >= verified.until || now < verified.from) {
      this.#tokens.delete(token);
      return undefined;
    }
    found.used = true;
    return verified;
  }

  add(token: string, verified: VerifiedToken): void {
    if (this.#most === 0 || token.length > this.#longest) return;
    if (this.#tokens.size >= this.#most) this.#makeRoom();
    // A copy: what was cut out of a request head keeps the whole head in memory.
    this.#tokens.set(Buffer.from(token, 'latin1').toString('latin1'), { verified, used: false });
  }

  #makeRoom(): void {
    let passedOver = 0;
    for (const [token, remembered] of this.#tokens) {
      this.#tokens.delete(token);
      if (!remembered.used || passedOver === mostPassedOver) return;
      passedOver++;
      remembered.used = false;
      this.#tokens.set(token, remembered);
    }
  }

  /** Forgets tokens whose key is not trusted any more. */
  retain(trusts: (key: string) => boolean): void {
    for (const [token, { verified }] of this.#tokens) if (!trusts(verified.key)) this.#tokens.delete(token);
  }
}
