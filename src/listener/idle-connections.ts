/** A connection that may be closed to make room, as long as nothing is asked on it. */
export interface Closable {
  /** Since when nothing is asked, on a monotonic clock; undefined while something is. */
  readonly idleSince: number | undefined;
  close(): void;
}

/** Candidates that are kept from one search for the next ones. */
const batch = 64;
/** Milliseconds until a search that found nobody is tried again. */
const patience = 100;

/**
 * Closes the connection that has been idle for longest, as nginx does when it has no more connections: whoever comes is
 * more likely to want something than who has been silent. Searches seldom, so that a flood of connections costs little.
 */
export class IdleConnections {
  readonly #all: () => Iterable<Closable>;
  /** The next to go is the last. */
  #candidates: { readonly connection: Closable; readonly since: number }[] = [];
  #notBefore = -Infinity;

  constructor(all: () => Iterable<Closable>) {
    this.#all = all;
  }

  /** Says whether there was one. @param now monotonic milliseconds */
  closeLongestIdle(now: number): boolean {
    if (this.#closeCandidate()) return true;
    if (now < this.#notBefore) return false;
    this.#search();
    if (this.#closeCandidate()) return true;
    this.#notBefore = now + patience;
    return false;
  }

  #closeCandidate(): boolean {
    for (let next = this.#candidates.pop(); next !== undefined; next = this.#candidates.pop()) {
      if (next.connection.idleSince !== next.since) continue;
      next.connection.close();
      return true;
    }
    return false;
  }

  #search(): void {
    const found: { connection: Closable; since: number }[] = [];
    for (const connection of this.#all()) {
      const since = connection.idleSince;
      if (since !== undefined) found.push({ connection, since });
    }
    found.sort((a, b) => a.since - b.since);
    this.#candidates = found.slice(0, batch).reverse();
  }
}
