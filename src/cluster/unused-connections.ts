/** What stands in the list of those that nobody uses. */
interface Unused<Key> {
  readonly endpoint: Key;
  /** Clock reading since which it is unused; does not change while it is in the list. */
  readonly idleSince: number;
}

/**
 * Connections that nobody uses, for each endpoint in the order in which they became unused.
 *
 * Arrays, because a connection comes and goes with every request: a Set that lives long makes its table anew after so many
 * changes, in the old generation of the heap, and only a full collection of garbage takes the former one away.
 */
export class UnusedConnections<Key, One extends Unused<Key>> {
  readonly #of = new Map<Key, One[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(one: One): void {
    this.#size++;
    const own = this.#of.get(one.endpoint);
    if (own === undefined) this.#of.set(one.endpoint, [one]);
    else own.push(one);
  }

  /** Answers whether it was in the list. */
  remove(one: One): boolean {
    const own = this.#of.get(one.endpoint);
    const at = own?.lastIndexOf(one) ?? -1;
    if (own === undefined || at < 0) return false;
    this.#size--;
    if (at === own.length - 1) own.pop();
    else own.splice(at, 1);
    return true;
  }

  /** The one of an endpoint that was used last. */
  last(endpoint: Key): One | undefined {
    return this.#of.get(endpoint)?.at(-1);
  }

  /** The one that has been unused for longest, of all endpoints. */
  oldest(): One | undefined {
    let oldest: One | undefined;
    for (const [first] of this.#of.values())
      if (first !== undefined && (oldest === undefined || first.idleSince < oldest.idleSince)) oldest = first;
    return oldest;
  }

  /** As they are now. */
  all(): One[] {
    return [...this.#of.values()].flat();
  }

  allOf(endpoint: Key): One[] {
    return [...(this.#of.get(endpoint) ?? [])];
  }

  /** The endpoint is gone: nothing is kept of it once it has no connection. */
  tidy(endpoint: Key): void {
    if (this.#of.get(endpoint)?.length === 0) this.#of.delete(endpoint);
  }
}
