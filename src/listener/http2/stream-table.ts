/** How a stream came to its end. */
export type StreamEnd = 'ended' | 'reset by client' | 'reset by us';

/** Streams that are over and remembered, for each way: frames that cross our reset on their way are none of the client's faults. */
const mostRemembered = 256;

/** The streams of one connection by their state (RFC 9113 §5.1): those that are open, and the last of those that are over. */
export class StreamTable<Stream> {
  readonly #live = new LiveStreams<Stream>();
  readonly #ended = new RecentStreams(mostRemembered);
  readonly #resetByClient = new RecentStreams(mostRemembered);
  readonly #resetByUs = new RecentStreams(4 * mostRemembered);
  #last = 0;

  /** The highest stream that the client has opened, or tried to. */
  get last(): number {
    return this.#last;
  }

  get size(): number {
    return this.#live.size;
  }

  get(id: number): Stream | undefined {
    return this.#live.get(id);
  }

  /** Those that are open now, in the order in which they were opened. */
  live(): readonly Stream[] {
    return this.#live.all();
  }

  open(id: number, stream: Stream): void {
    this.#last = id;
    this.#live.add(id, stream);
  }

  /** A stream that is refused before it is anything. */
  skip(id: number): void {
    this.#last = id;
    this.#resetByUs.add(id);
  }

  /** Says whether it was open. */
  close(id: number, end: StreamEnd): boolean {
    if (!this.#live.remove(id)) return false;
    (end === 'ended' ? this.#ended : end === 'reset by us' ? this.#resetByUs : this.#resetByClient).add(id);
    return true;
  }

  /**
   * What is known of a stream that is not open: `idle` is yet to come; `unknown` is over for long, or was passed over.
   */
  past(id: number): StreamEnd | 'idle' | 'unknown' {
    if (id > this.#last || id % 2 === 0) return 'idle';
    if (this.#resetByUs.has(id)) return 'reset by us';
    if (this.#resetByClient.has(id)) return 'reset by client';
    return this.#ended.has(id) ? 'ended' : 'unknown';
  }
}

/**
 * Open streams by their number, which only ever grows: what comes last belongs at the end.
 *
 * Arrays and no Map: that makes its table anew after so many changes, and the former one, old by then, keeps the streams that
 * were open alive until a full collection of garbage. A third of all streams ended up among the old objects.
 */
class LiveStreams<Stream> {
  readonly #ids: number[] = [];
  readonly #streams: Stream[] = [];

  get size(): number {
    return this.#ids.length;
  }

  get(id: number): Stream | undefined {
    const at = this.#find(id);
    return at < 0 ? undefined : this.#streams[at];
  }

  add(id: number, stream: Stream): void {
    this.#ids.push(id);
    this.#streams.push(stream);
  }

  /** Says whether it was there. */
  remove(id: number): boolean {
    const at = this.#find(id);
    if (at < 0) return false;
    this.#ids.copyWithin(at, at + 1).pop();
    this.#streams.copyWithin(at, at + 1).pop();
    return true;
  }

  all(): Stream[] {
    return [...this.#streams];
  }

  /** Where it is, negative when it is not. */
  #find(id: number): number {
    const ids = this.#ids;
    let low = 0;
    let high = ids.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const found = ids[middle]!;
      if (found === id) return middle;
      if (found < id) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }
}

/** A ring of numbers; looked through only when something is odd. */
class RecentStreams {
  readonly #most: number;
  readonly #ids: number[] = [];
  #next = 0;

  constructor(most: number) {
    this.#most = most;
  }

  add(id: number): void {
    this.#ids[this.#next] = id;
    this.#next = (this.#next + 1) % this.#most;
  }

  has(id: number): boolean {
    return this.#ids.includes(id);
  }
}
