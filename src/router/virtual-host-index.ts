/**
 * Finds what serves an authority: exact, then the longest `*.suffix`, then the longest `prefix.*`, then `*`, as Envoy
 * does. The number of steps depends on how many lengths of wildcards are configured, not on what the client sends.
 */
export class VirtualHostIndex<T> {
  readonly #exact = new Map<string, T>();
  readonly #suffixes = new LongestFirst<T>((host, length) => host.slice(-length));
  readonly #prefixes = new LongestFirst<T>((host, length) => host.slice(0, length));
  #any: T | undefined;

  /** @returns false when the domain is taken already */
  add(domain: string, value: T): boolean {
    if (domain === '*') {
      if (this.#any !== undefined) return false;
      this.#any = value;
      return true;
    }
    if (domain.startsWith('*')) return this.#suffixes.add(domain.slice(1), value);
    if (domain.endsWith('*')) return this.#prefixes.add(domain.slice(0, -1), value);
    if (this.#exact.has(domain)) return false;
    this.#exact.set(domain, value);
    return true;
  }

  find(authority: string): T | undefined {
    if (this.#exact.size === 0 && this.#suffixes.empty && this.#prefixes.empty) return this.#any;
    const host = hostOf(authority);
    return this.#exact.get(host) ?? this.#suffixes.find(host) ?? this.#prefixes.find(host) ?? this.#any;
  }
}

/** The host of an authority as it is compared: lower case, without port and without the dot of the DNS root. */
export function hostOf(authority: string): string {
  let end = authority.length;
  const colon = authority.lastIndexOf(':');
  if (colon >= 0 && authority.indexOf(']', colon) < 0) end = colon;
  if (authority[end - 1] === '.') end--;
  return authority.slice(0, end).toLowerCase();
}

/** Values by a part of the host, of which the longest counts. What the wildcard stands for is never empty. */
class LongestFirst<T> {
  readonly #values = new Map<string, T>();
  readonly #part: (host: string, length: number) => string;
  #lengths: number[] = [];

  constructor(part: (host: string, length: number) => string) {
    this.#part = part;
  }

  get empty(): boolean {
    return this.#values.size === 0;
  }

  add(text: string, value: T): boolean {
    if (this.#values.has(text)) return false;
    this.#values.set(text, value);
    this.#lengths = [...new Set([...this.#lengths, text.length])].sort((a, b) => b - a);
    return true;
  }

  find(host: string): T | undefined {
    for (const length of this.#lengths) {
      if (length >= host.length) continue;
      const value = this.#values.get(this.#part(host, length));
      if (value !== undefined) return value;
    }
    return undefined;
  }
}
