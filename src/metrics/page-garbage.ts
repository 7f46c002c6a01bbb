import type { MetricFamily } from './family.ts';

/** Samples of a page that is worth a collection of its own. */
const large = 5_000;

/**
 * A page is garbage as soon as it has been sent, and there is none before the next scrape. Left to itself V8 collects when it has seen
 * two of them: in the middle of a scrape, with memory at its highest. A large page is collected when it is over instead.
 */
export class PageGarbage {
  readonly #collect: () => void;
  #due = false;

  /** @param collect frees what nobody holds any more */
  constructor(collect: () => void) {
    this.#collect = collect;
  }

  /** Nobody needs these families any more, unless they are kept on purpose. Collects when whoever calls has let go of them. */
  left(families: readonly MetricFamily[]): void {
    let samples = 0;
    for (const family of families) samples += family.samples.length;
    if (samples < large || this.#due) return;
    this.#due = true;
    setImmediate(() => {
      this.#due = false;
      this.#collect();
    });
  }

  /** The chunks of a page made of these families; when the last is taken, or no more are, the families are left. */
  *after(chunks: Iterable<Uint8Array>, families: readonly MetricFamily[]): Generator<Uint8Array> {
    try {
      yield* chunks;
    } finally {
      this.left(families);
    }
  }
}
