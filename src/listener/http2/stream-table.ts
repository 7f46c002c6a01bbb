/** How a stream came to its end. */
export type StreamEnd = 'ended' | 'reset by client' | 'reset by us';

/** Streams that are over and remembered, for each way: frames that cross our reset on their way are none of the client's faults. */
const mostRemembered = 256;

/** The streams of one connection by their state (RFC 9113 §5.1): those that are open, and the last of those that are over. */
export class StreamTable<Stream> {
  readonly #live = new Map<number, Stream>();
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

  live(): Iterable<Stream> {
    return this.#live.values();
  }

  open(id: number, stream: Stream): void {
    this.#last = id;
    this.#live.set(id, stream);
  }

  /** A stream that is refused before it is anything. */
  skip(id: number): void {
    this.#last = id;
    this.#resetByUs.add(id);
  }

  /** Says whether it was open. */
  close(id: number, end: StreamEnd): boolean {
    if (!this.#live.delete(id)) return false;
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
