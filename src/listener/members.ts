interface Place<One> {
  readonly one: One;
  at: number;
}

/**
 * What is there now, of things that come and go. Without order, and no Set: that makes its table anew after so many changes, and
 * the former one, old by then, keeps what was there alive until a full collection of garbage.
 */
export class Members<One> implements Iterable<One> {
  readonly #places: Place<One>[] = [];

  get size(): number {
    return this.#places.length;
  }

  /** Returns what removes it; called again it does nothing. */
  add(one: One): () => void {
    const places = this.#places;
    const place = { one, at: places.length };
    places.push(place);
    return () => {
      if (place.at < 0) return;
      const last = places.pop()!;
      if (last !== place) places[place.at] = last;
      last.at = place.at;
      place.at = -1;
    };
  }

  /** Those who are there when it begins. */
  *[Symbol.iterator](): Generator<One> {
    for (const { one } of [...this.#places]) yield one;
  }
}
