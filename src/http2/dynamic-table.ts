/** Bytes that an entry counts for beside its name and value (RFC 7541 §4.1). */
export const entryOverhead = 32;

/** Fields that a peer's blocks may refer to, the newest first; the oldest give way (RFC 7541 §2.3.2, §4). */
export class DynamicTable {
  /** A ring: the newest is at `#newest`. Made when it is needed, and as large as the most entries there can be. */
  #names: string[] | undefined;
  #values: string[] = [];
  readonly #mask: number;
  #newest = 0;
  #count = 0;
  #size = 0;
  #maxSize: number;

  /** @param limit most bytes that {@link DynamicTable.resize} is ever called with */
  constructor(limit: number) {
    this.#maxSize = limit;
    let capacity = 1;
    while (capacity * entryOverhead < limit) capacity *= 2;
    this.#mask = capacity - 1;
  }

  get count(): number {
    return this.#count;
  }

  get size(): number {
    return this.#size;
  }

  /** @param place 0 is the newest, less than {@link DynamicTable.count} */
  name(place: number): string {
    return this.#names![(this.#newest - place) & this.#mask]!;
  }

  value(place: number): string {
    return this.#values[(this.#newest - place) & this.#mask]!;
  }

  /** An entry larger than the table empties it, and is not an error (RFC 7541 §4.4). */
  add(name: string, value: string): void {
    const size = name.length + value.length + entryOverhead;
    this.#evict(this.#maxSize - size);
    if (size > this.#maxSize) return;
    this.#names ??= [];
    this.#newest = (this.#newest + 1) & this.#mask;
    this.#names[this.#newest] = name;
    this.#values[this.#newest] = value;
    this.#count++;
    this.#size += size;
  }

  resize(maxSize: number): void {
    this.#maxSize = maxSize;
    this.#evict(maxSize);
  }

  #evict(most: number): void {
    while (this.#size > most && this.#count > 0) {
      const oldest = (this.#newest - --this.#count) & this.#mask;
      this.#size -= this.#names![oldest]!.length + this.#values[oldest]!.length + entryOverhead;
      this.#names![oldest] = '';
      this.#values[oldest] = '';
    }
  }
}
