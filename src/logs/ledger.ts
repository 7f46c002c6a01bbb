/**
 * What of a file is under way, and up to where all is acknowledged for good. Records are acknowledged in any order; the
 * offset moves over those only that have nothing unacknowledged before them.
 */
export class Ledger {
  /** A ring: of each record its end, and from where reading would have to go on if it were the last one acknowledged. */
  #ends = new Float64Array(16);
  #resumes = new Float64Array(16);
  #done = new Uint8Array(16);
  #first = 0;
  #count = 0;
  /** Where the next record is looked for: after the last one that was acknowledged, counted from the first. */
  #hint = 0;
  #acknowledged: number;

  /** @param offset up to which all is acknowledged */
  constructor(offset: number) {
    this.#acknowledged = offset;
  }

  /** Offset from which reading has to go on after a crash. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Records that are under way, or acknowledged with one before them that is not. */
  get underWay(): number {
    return this.#count;
  }

  /**
   * A record is on its way.
   * @param resume offset from which reading has to go on when all up to this record is acknowledged: its end, or less when
   *   something that began before it is still waiting for its own end
   */
  add(end: number, resume: number): void {
    if (this.#count === this.#ends.length) this.#grow();
    const slot = this.#slot(this.#count);
    this.#ends[slot] = end;
    this.#resumes[slot] = resume;
    this.#done[slot] = 0;
    this.#count++;
  }

  /** Nothing of what is before an offset will come any more, apart from what is under way. */
  skip(resume: number): void {
    if (this.#count === 0) this.#acknowledged = Math.max(this.#acknowledged, resume);
    else {
      const slot = this.#slot(this.#count - 1);
      this.#resumes[slot] = Math.max(this.#resumes[slot]!, resume);
    }
  }

  /** The record that ends there is acknowledged. One that is not under way is none of ours: it was taken back. */
  acknowledge(end: number): void {
    const at = this.#find(end);
    if (at < 0) return;
    this.#done[this.#slot(at)] = 1;
    this.#hint = at + 1;
    if (at === 0) this.#advance();
  }

  /** Forgets what is under way: it will be read again. */
  takeBack(): void {
    this.#count = 0;
    this.#first = 0;
    this.#hint = 0;
  }

  #find(end: number): number {
    const count = this.#count;
    for (let step = 0, at = this.#hint; step < count; step++, at++) {
      if (at >= count) at = 0;
      const slot = this.#slot(at);
      if (this.#ends[slot] === end && this.#done[slot] === 0) return at;
    }
    return -1;
  }

  #advance(): void {
    let moved = 0;
    while (moved < this.#count) {
      const slot = this.#slot(moved);
      if (this.#done[slot] === 0) break;
      this.#acknowledged = Math.max(this.#acknowledged, this.#resumes[slot]!);
      moved++;
    }
    this.#first = this.#slot(moved);
    this.#count -= moved;
    this.#hint = Math.max(0, this.#hint - moved);
  }

  #slot(at: number): number {
    return (this.#first + at) & (this.#ends.length - 1);
  }

  #grow(): void {
    const ends = new Float64Array(this.#ends.length * 2);
    const resumes = new Float64Array(this.#ends.length * 2);
    const done = new Uint8Array(this.#ends.length * 2);
    for (let at = 0; at < this.#count; at++) {
      const slot = this.#slot(at);
      ends[at] = this.#ends[slot]!;
      resumes[at] = this.#resumes[slot]!;
      done[at] = this.#done[slot]!;
    }
    this.#ends = ends;
    this.#resumes = resumes;
    this.#done = done;
    this.#first = 0;
  }
}
