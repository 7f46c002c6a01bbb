import { parseSeries, textNotation, type Notation } from './exposition/parse-series.ts';
import type { MetricType } from './family.ts';
import { flat, Series } from './series.ts';

/** What is known of a series by its text. */
export interface KnownSeries {
  /** As the app wrote it. */
  readonly text: string;
  readonly name: string;
  /** What becomes of it; undefined when it is dropped. */
  readonly admitted: Series | undefined;
  /** The last scrape that had it. */
  seen: number;
  /** For OpenMetrics, worked out when needed: the type for which the two below hold. */
  type: MetricType | undefined;
  /** Hash of the labels that it shares with the other samples of its metric. */
  group: number;
  /** Its `le` or `quantile`. */
  bound: number;
}

/** Enriches and relabels: what it answers is kept, so it must depend on nothing but the series. */
export type Admit = (raw: Series) => Series | undefined;

/** Names and ends of texts that are shared, at most; beyond it the sharing begins anew. */
const mostShared = 10_000;

/**
 * The series of one target by their text. A page has the same series scrape after scrape, so that each is parsed, enriched and
 * relabelled once: later scrapes look it up. Forgets what is no longer scraped.
 */
export class SeriesTable {
  readonly #admit: Admit;
  readonly #known = new Map<string, KnownSeries>();
  readonly #shared = new Map<string, string>();
  readonly #share = (text: string): string => {
    const shared = this.#shared.get(text);
    if (shared !== undefined) return shared;
    if (this.#shared.size >= mostShared) this.#shared.clear();
    const own = flat(text);
    this.#shared.set(own, own);
    return own;
  };
  #notation: Notation = textNotation;
  #scrape = 0;
  #seen = 0;

  constructor(admit: Admit = (raw) => raw) {
    this.#admit = admit;
  }

  /** Series that are remembered. */
  get size(): number {
    return this.#known.size;
  }

  /** A scrape begins; those that the one before did not see may be forgotten. */
  begin(notation: Notation): void {
    // What one format allows is a fault in the other.
    if (notation !== this.#notation) this.#known.clear();
    this.#notation = notation;
    if (this.#known.size > this.#seen * 1.25 + 1000) {
      for (const [text, known] of this.#known) if (known.seen !== this.#scrape) this.#known.delete(text);
    }
    this.#scrape++;
    this.#seen = 0;
  }

  /** @throws LineFault when the text is no series; whatever `admit` throws */
  get(text: string): KnownSeries {
    const known = this.#known.get(text) ?? this.#add(text);
    if (known.seen !== this.#scrape) {
      known.seen = this.#scrape;
      this.#seen++;
    }
    return known;
  }

  #add(written: string): KnownSeries {
    const text = flat(written);
    const { name, labels } = parseSeries(text, this.#notation);
    const admitted = this.#admit(new Series(this.#share(name), labels));
    admitted?.compact(text, this.#share);
    const known = { text, name: this.#share(name), admitted, seen: 0, type: undefined, group: 0, bound: 0 };
    this.#known.set(text, known);
    return known;
  }
}
