/**
 * The buckets of many clients in a fixed piece of memory: for each the time at which it will be full, found by a hash.
 *
 * A bucket that is full by now says nothing that an absent one does not, so it is forgotten for free. When there is no
 * such, the one nearest to full goes, for it hands out the fewest tokens too many: a client that is being limited is the
 * last to be evicted, and cannot wash its bucket away by coming under many names (envoyproxy/gateway#9973).
 *
 * A Map would keep every key's text alive, cost some 80 bytes a client and stand still for 50 ms when it grows beyond half
 * a million. Here a slot takes 16 bytes, is in one of 16 places (a set, as in a processor's cache), and nothing is ever
 * moved. Twice as many slots as keys make it rare (below 1 % at most keys) that a set is full before the table is.
 * Two clients share a bucket when all 64 bits of their hashes agree: for a million keys, once in 40 million tables.
 */
export class BucketTable {
  readonly #maxKeys: number;
  readonly #sets: number;
  /** A set is 32 doubles long: 16 times, then 16 pairs of 32-bit hashes. A time of 0 is a free slot. */
  readonly #times: Float64Array;
  readonly #hashes: Uint32Array;
  readonly #seed: number;
  #hash1 = 0;
  #hash2 = 0;
  #live = 0;
  #evicted = 0;
  #searchHand = 0;
  #sweepHand = 0;

  /**
   * @param maxKeys most buckets held at once
   * @param seed random 32 bits, so that nobody can know beforehand whose keys meet
   */
  constructor(maxKeys: number, seed: number) {
    this.#maxKeys = maxKeys;
    this.#sets = Math.ceil((2 * maxKeys) / slotsPerSet);
    const memory = new ArrayBuffer(this.#sets * slotsPerSet * 16);
    this.#times = new Float64Array(memory);
    this.#hashes = new Uint32Array(memory);
    this.#seed = seed;
  }

  /** Buckets held, with those that became full since the last sweep. */
  get size(): number {
    return this.#live;
  }

  /** Buckets forgotten before they were full, ever. */
  get evicted(): number {
    return this.#evicted;
  }

  get bytes(): number {
    return this.#times.byteLength;
  }

  /** The slot of a key, or -1. Good until the next call of {@link insert} or {@link sweep}. */
  find(key: string): number {
    this.#hashOf(key);
    const base = this.#setOfHash() * doublesPerSet;
    const hash1 = this.#hash1;
    const hash2 = this.#hash2;
    const hashes = this.#hashes;
    for (let way = 0, at = 2 * (base + slotsPerSet); way < slotsPerSet; way++, at += 2) {
      if (hashes[at] === hash1 && hashes[at + 1] === hash2 && this.#times[base + way] !== 0) return base + way;
    }
    return -1;
  }

  /** When the bucket in this slot will be full. */
  fullAt(slot: number): number {
    return this.#times[slot]!;
  }

  update(slot: number, fullAt: number): void {
    this.#times[slot] = fullAt;
  }

  /**
   * Holds a bucket for the key that {@link find} has just not found.
   * @param fullAt when it will be full, later than now
   */
  insert(fullAt: number, now: number): void {
    const base = this.#setOfHash() * doublesPerSet;
    const times = this.#times;
    let free = -1;
    let nearest = base;
    for (let slot = base; slot < base + slotsPerSet; slot++) {
      const time = times[slot]!;
      if (time === 0) free = slot;
      else if (time <= now) {
        // Full and not yet swept: it is counted, so its place may be taken as it is.
        this.#put(slot, fullAt);
        return;
      }
      if (time < times[nearest]!) nearest = slot;
    }
    if (free < 0) {
      this.#evicted++;
      this.#put(nearest, fullAt);
      return;
    }
    if (this.#live >= this.#maxKeys) this.#makeRoom(now);
    this.#live++;
    this.#put(free, fullAt);
  }

  /** Forgets what is full in the next `part` of the table: 1 is all of it. Call it now and then; bounds the work of one call. */
  sweep(now: number, part: number): void {
    const times = this.#times;
    for (let left = Math.ceil(this.#sets * part); left > 0; left--) {
      const base = this.#sweepHand * doublesPerSet;
      for (let slot = base; slot < base + slotsPerSet; slot++) {
        const time = times[slot]!;
        if (time !== 0 && time <= now) this.#free(slot);
      }
      this.#sweepHand = this.#sweepHand + 1 < this.#sets ? this.#sweepHand + 1 : 0;
    }
  }

  /** Frees one slot: a full one out of the next sets, else the nearest to full among them. */
  #makeRoom(now: number): void {
    const times = this.#times;
    let victim = -1;
    // There is a live slot somewhere, and at most keys half of all slots are: this ends, and soon.
    for (let seen = 0; seen < Math.min(setsSearched, this.#sets) || victim < 0; seen++) {
      const base = this.#searchHand * doublesPerSet;
      this.#searchHand = this.#searchHand + 1 < this.#sets ? this.#searchHand + 1 : 0;
      for (let slot = base; slot < base + slotsPerSet; slot++) {
        const time = times[slot]!;
        if (time === 0) continue;
        if (time <= now) {
          this.#free(slot);
          return;
        }
        if (victim < 0 || time < times[victim]!) victim = slot;
      }
    }
    this.#evicted++;
    this.#free(victim);
  }

  #put(slot: number, fullAt: number): void {
    this.#times[slot] = fullAt;
    const at = 2 * (slot + slotsPerSet);
    this.#hashes[at] = this.#hash1;
    this.#hashes[at + 1] = this.#hash2;
  }

  #free(slot: number): void {
    this.#times[slot] = 0;
    this.#live--;
  }

  #setOfHash(): number {
    return Math.floor((this.#hash1 / 0x1_0000_0000) * this.#sets);
  }

  /** Two lanes of multiply and rotate, mixed at the end with the finalizer of MurmurHash3 (public domain, A. Appleby). */
  #hashOf(key: string): void {
    let a = this.#seed;
    let b = ~this.#seed ^ key.length;
    for (let at = 0; at < key.length; at++) {
      const char = key.charCodeAt(at);
      a = Math.imul(a ^ char, 0x85eb_ca6b);
      a = (a << 15) | (a >>> 17);
      b = Math.imul(b ^ char, 0x27d4_eb2f);
      b = (b << 13) | (b >>> 19);
    }
    this.#hash1 = mixed(a ^ Math.imul(b, 0x9e37_79b1)) >>> 0;
    this.#hash2 = mixed(b ^ Math.imul(a, 0xc2b2_ae3d)) >>> 0;
  }
}

const slotsPerSet = 16;
const doublesPerSet = 2 * slotsPerSet;
/** Enough that some bucket in them is nearer to full than that of a limited client, however unevenly the sets are filled. */
const setsSearched = 16;

function mixed(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85eb_ca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2_ae35);
  return h ^ (h >>> 16);
}
