/** Something for each set of label values, up to a number of sets. */
export class BoundedSeries<T> {
  readonly #most: number;
  readonly #series = new Map<string, { readonly labels: readonly string[]; readonly content: T }>();

  constructor(most: number) {
    this.#most = most;
  }

  /**
   * @param labels name, value, name, value …
   * @returns undefined when there are too many already
   */
  get(labels: readonly string[], make: () => T): T | undefined {
    const key = JSON.stringify(labels);
    let known = this.#series.get(key);
    if (known === undefined) {
      if (this.#series.size >= this.#most) return undefined;
      this.#series.set(key, (known = { labels, content: make() }));
    }
    return known.content;
  }

  values(): Iterable<{ readonly labels: readonly string[]; readonly content: T }> {
    return this.#series.values();
  }
}
