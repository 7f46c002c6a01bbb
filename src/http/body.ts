import type { Headers } from './headers.ts';
import { readGarbage } from './read-garbage.ts';

/** Where the bytes of a body go. After `data` calls exactly one of `end` and `error` follows, once. */
export interface BodySink {
  /** Takes a chunk; the answer false asks for silence until `resume` is called on the body. */
  data(chunk: Uint8Array): boolean;
  /** The body is whole. */
  end(trailers: Headers | undefined): void;
  /** The body is incomplete: what was passed on must never look whole. */
  error(error: Error): void;
}

/** The content of one message. It flows once, to one sink. */
export interface Body {
  /** Bytes, when known before the first one flows. */
  readonly length: number | undefined;
  /** All bytes, when they are at hand already and no trailers follow: the writer can send head and body in one write. */
  readonly whole: Uint8Array | undefined;
  /** Names of trailers that its sender has announced, as the value of a `trailer` field; only where the length is unknown. */
  readonly announced?: string | undefined;
  pipe(sink: BodySink): void;
  /** Asks for more after the sink answered false. */
  resume(): void;
  /** Nobody wants the rest. The producer releases what it holds; the sink hears nothing more. */
  cancel(reason: Error): void;
}

/** A body that is at hand. */
export class BytesBody implements Body {
  readonly length: number;
  readonly whole: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.whole = bytes;
    this.length = bytes.byteLength;
  }

  pipe(sink: BodySink): void {
    if (this.length > 0) sink.data(this.whole);
    sink.end(undefined);
  }

  resume(): void {}

  cancel(): void {}
}

export const noBody: Body = new BytesBody(new Uint8Array(0));

export function textBody(text: string): Body {
  return new BytesBody(Buffer.from(text));
}

/** The two things a consumer may ask of the producer of a {@link BodyStream}. */
export interface BodySource {
  /** Called when bytes may flow again after `push` answered false. */
  resume(): void;
  /** Called at most once, when nobody wants the rest; the producer calls nothing after it. */
  cancel(reason: Error): void;
}

/** Bytes that wait here for a sink before the producer is asked to pause. */
const highWaterMark = 64 * 1024;

/**
 * A body that arrives in pieces. The producer calls `push`, then `end` or `fail`; the consumer calls `pipe`, `resume`
 * and `cancel`. What arrives before `pipe` waits in a queue of about 64 KiB, so a small body is often `whole` by then.
 */
export class BodyStream implements Body {
  readonly length: number | undefined;
  readonly announced: string | undefined;
  readonly #source: BodySource;
  #queue: Uint8Array[] = [];
  #queued = 0;
  #received = 0;
  #sink: BodySink | undefined;
  /** The sink takes more. */
  #flowing = true;
  /** The producer was asked to pause and has not been woken yet. */
  #paused = false;
  #state: 'open' | 'ended' | 'failed' | 'closed' = 'open';
  #trailers: Headers | undefined;
  #error: Error | undefined;

  /** @param announced names of trailers, if the length is unknown and the sender has announced some that may be passed on */
  constructor(length: number | undefined, source: BodySource, announced?: string) {
    this.length = length;
    this.announced = announced;
    this.#source = source;
  }

  get whole(): Uint8Array | undefined {
    if (this.#state !== 'ended' || this.#sink !== undefined || this.#trailers !== undefined) return undefined;
    if (this.#queue.length > 1) this.#queue = [Buffer.concat(this.#queue)];
    return this.#queue[0] ?? noBody.whole;
  }

  /** Hands over a chunk, which must not change afterwards. The answer false means: pause until `source.resume`. */
  push(chunk: Uint8Array): boolean {
    if (this.#state !== 'open') return true;
    this.#received += chunk.byteLength;
    readGarbage.add(chunk.byteLength);
    if (this.#sink !== undefined && this.#flowing && this.#queued === 0) {
      this.#flowing = this.#sink.data(chunk);
      this.#paused = !this.#flowing;
    } else {
      this.#queue.push(chunk);
      this.#queued += chunk.byteLength;
      this.#paused = this.#queued >= highWaterMark || this.#sink !== undefined;
    }
    return !this.#paused;
  }

  /** All has been pushed. With fewer or more bytes than announced it fails instead. */
  end(trailers?: Headers): void {
    if (this.#state !== 'open') return;
    if (this.length !== undefined && this.length !== this.#received) {
      this.fail(new Error(`the body has ${this.#received} bytes instead of ${this.length}`));
      return;
    }
    this.#state = 'ended';
    this.#trailers = trailers;
    this.#deliver();
  }

  fail(error: Error): void {
    if (this.#state !== 'open') return;
    this.#state = 'failed';
    this.#error = error;
    this.#deliver();
  }

  pipe(sink: BodySink): void {
    if (this.#sink !== undefined) throw new Error('this body has already been read');
    this.#sink = sink;
    this.#deliver();
  }

  resume(): void {
    if (this.#flowing) return;
    this.#flowing = true;
    this.#deliver();
  }

  cancel(reason: Error): void {
    const open = this.#state === 'open';
    this.#state = 'closed';
    this.#queue = [];
    this.#queued = 0;
    if (open) this.#source.cancel(reason);
  }

  #deliver(): void {
    const sink = this.#sink;
    if (sink === undefined) return;
    while (this.#queued > 0 && this.#flowing) {
      const chunk = this.#queue.shift()!;
      this.#queued -= chunk.byteLength;
      this.#flowing = sink.data(chunk);
    }
    if (this.#state === 'closed') return;
    if (this.#state === 'open') {
      if (this.#paused && this.#flowing) {
        this.#paused = false;
        this.#source.resume();
      }
      return;
    }
    // A failure does not wait for a slow reader: what was queued is incomplete anyway.
    if (this.#state === 'failed') {
      this.#state = 'closed';
      sink.error(this.#error!);
    } else if (this.#queued === 0) {
      this.#state = 'closed';
      sink.end(this.#trailers);
    }
  }
}
