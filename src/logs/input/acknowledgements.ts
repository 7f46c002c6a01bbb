import { Ledger } from '../ledger.ts';

interface Former {
  readonly key: string;
  readonly ledger: Ledger;
  /** Up to where it was read. */
  readonly end: number;
}

/** What of a file is under way and what is acknowledged, with what was in it before it was truncated. */
export class Acknowledgements {
  /** Of the content that a source names; undefined as long as no record was made of it. */
  key: string | undefined;
  #ledger: Ledger;
  /** Of former contents, until all of them is acknowledged. */
  #former: Former[] = [];

  constructor(offset: number, key: string | undefined) {
    this.#ledger = new Ledger(offset);
    this.key = key;
  }

  get ledger(): Ledger {
    return this.#ledger;
  }

  /** Bytes that are not acknowledged, of a file of that size and of what was in it before. */
  lag(size: number): number {
    const former = this.#former.reduce(
      (sum, { ledger, end }) => sum + (ledger.underWay > 0 ? end - ledger.acknowledged : 0),
      0,
    );
    return Math.max(0, size - this.#ledger.acknowledged) + former;
  }

  /** Nothing is under way. */
  get settled(): boolean {
    if (this.#former.length > 0) this.#former = this.#former.filter(({ ledger }) => ledger.underWay > 0);
    return this.#ledger.underWay === 0 && this.#former.length === 0;
  }

  /** Something may be acknowledged under this key. */
  owns(key: string): boolean {
    return this.key === key || this.#former.some((former) => former.key === key && former.ledger.underWay > 0);
  }

  /** The store has a record for good. */
  acknowledge(key: string, end: number): void {
    if (this.key === key) this.#ledger.acknowledge(end);
    else this.#former.find((former) => former.key === key)?.ledger.acknowledge(end);
  }

  /** The file has other content from here on. @param end up to where the former one was read */
  beginAnew(end: number): void {
    if (this.key !== undefined && this.#ledger.underWay > 0) {
      this.#former.push({ key: this.key, ledger: this.#ledger, end });
    }
    this.key = undefined;
    this.#ledger = new Ledger(0);
  }
}
