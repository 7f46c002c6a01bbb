import { noBody, BytesBody, type Body, type BodySink, type Headers } from '../http/index.ts';

/** A request body that can be given to one try after another. */
export interface ReplayableBody {
  /** All bytes can still be given to another try. */
  readonly replayable: boolean;
  /** All bytes are at hand, and several tries may take them at the same time. */
  readonly shareable: boolean;
  /** The client broke off, or a filter that rewrites the body failed: no try can succeed any more. */
  readonly failure: Error | undefined;
  /** The body for the next try, from its first byte. The one of the try before gets nothing more. */
  next(): Body;
  /** The try is over without success: its body gets nothing more, and never looks whole. */
  detach(): void;
  /** A response was taken: no other try follows, so that nothing needs to be kept. */
  commit(): void;
  /** No response was taken, and nobody wants the rest of the body. */
  cancel(reason: Error): void;
}

export interface WholeListener {
  /** The last byte has arrived. */
  whole(): void;
}

/**
 * @param limit most bytes to keep for another try; with 0 nothing is kept
 * @param listener told once, when the last byte has arrived, perhaps at once
 */
export function replayable(body: Body, limit: number, listener: WholeListener): ReplayableBody {
  const { whole } = body;
  if (whole === undefined) return new BodyReplay(body, limit, listener);
  listener.whole();
  return new WholeBody(body instanceof BytesBody ? body : new BytesBody(whole));
}

/** Bytes that are at hand can be replayed for nothing. */
class WholeBody implements ReplayableBody {
  readonly replayable = true;
  readonly shareable = true;
  readonly failure = undefined;
  readonly #body: Body;

  constructor(body: Body) {
    this.#body = body;
  }

  next(): Body {
    return this.#body;
  }

  detach(): void {}
  commit(): void {}
  cancel(): void {}
}

/** Bytes taken from the client before a try wants them, so that small bodies are whole by the time they are sent. */
const readAhead = 64 * 1024;

/**
 * A body that arrives while it is sent. What a try has taken stays here until there is too much of it; from then on
 * bytes only pass through, and the client is read no faster than the try takes them.
 */
class BodyReplay implements ReplayableBody, BodySink {
  /** A body that arrives while it is sent belongs to one try at a time. */
  readonly shareable = false;
  readonly #source: Body;
  readonly #listener: WholeListener;
  #limit: number;
  /** The bytes that are here, of which those before the place of the current try have been taken. */
  #chunks: Uint8Array[] = [];
  #size = 0;
  #lost = false;
  #committed = false;
  /** The source was told to pause and has not been woken since. */
  #paused = false;
  #state: 'open' | 'ended' | 'failed' = 'open';
  #trailers: Headers | undefined;
  #failure: Error | undefined;
  #try: TryBody | undefined;
  #cancelled: Error | undefined;

  constructor(source: Body, limit: number, listener: WholeListener) {
    this.#source = source;
    this.#listener = listener;
    // Keeping the beginning of a body that will not fit is waste.
    this.#limit = source.length !== undefined && source.length > limit ? 0 : limit;
    source.pipe(this);
  }

  get replayable(): boolean {
    return !this.#lost && this.#failure === undefined;
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  next(): Body {
    this.detach();
    if (this.#lost) throw new Error('this body cannot be replayed');
    this.#cancelled = undefined;
    const body = (this.#try = new TryBody(this, this.#source));
    // The try before may have left the client waiting with little in hand.
    if (this.#size < readAhead) this.#wake();
    return body;
  }

  detach(): void {
    const last = this.#try;
    this.#try = undefined;
    last?.fail(new Error('the try is over'));
  }

  commit(): void {
    this.#committed = true;
    this.#limit = 0;
    if (this.#cancelled !== undefined) this.cancel(this.#cancelled);
    else if (this.#try !== undefined) this.#forgetTaken(this.#try);
  }

  cancel(reason: Error): void {
    this.detach();
    this.#chunks = [];
    this.#size = 0;
    this.#lost = true;
    this.#source.cancel(reason);
  }

  // What the source says.

  data(chunk: Uint8Array): boolean {
    this.#chunks.push(chunk);
    this.#size += chunk.byteLength;
    const reader = this.#try;
    if (reader?.isRead === true) {
      this.#deliver(reader);
      this.#paused = !reader.flowing || reader.place < this.#chunks.length;
    } else {
      this.#paused = this.#size >= readAhead;
    }
    return !this.#paused;
  }

  end(trailers: Headers | undefined): void {
    this.#state = 'ended';
    this.#trailers = trailers;
    this.#listener.whole();
    if (this.#try?.isRead === true) this.#deliver(this.#try);
  }

  error(error: Error): void {
    this.#state = 'failed';
    this.#failure = error;
    this.#try?.fail(error);
  }

  // What the body of a try asks.

  /** All bytes, if all have arrived and none has been taken by another way. */
  whole(reader: TryBody): Uint8Array | undefined {
    if (reader !== this.#try || this.#state !== 'ended' || this.#trailers !== undefined || this.#lost) return undefined;
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? noBody.whole;
  }

  advance(reader: TryBody): void {
    if (reader !== this.#try) return reader.fail(new Error('the try is over'));
    if (this.#failure !== undefined) return reader.fail(this.#failure);
    this.#deliver(reader);
    if (reader !== this.#try || !reader.flowing || reader.place < this.#chunks.length) return;
    this.#wake();
  }

  leave(reader: TryBody, reason: Error): void {
    if (reader !== this.#try) return;
    this.#try = undefined;
    this.#cancelled = reason;
    if (this.#committed) this.cancel(reason);
  }

  #wake(): void {
    if (!this.#paused || this.#state !== 'open') return;
    this.#paused = false;
    this.#source.resume();
  }

  #deliver(reader: TryBody): void {
    while (reader === this.#try && reader.flowing && reader.place < this.#chunks.length) {
      reader.take(this.#chunks[reader.place++]!);
      this.#forgetTaken(reader);
    }
    if (reader === this.#try && this.#state === 'ended' && reader.place === this.#chunks.length)
      reader.end(this.#trailers);
  }

  #forgetTaken(reader: TryBody): void {
    if (reader !== this.#try || reader.place === 0) return;
    if (!this.#lost && this.#size <= this.#limit) return;
    for (const chunk of this.#chunks.splice(0, reader.place)) this.#size -= chunk.byteLength;
    reader.place = 0;
    this.#lost = true;
  }
}

/** The request body as one try sees it. */
class TryBody implements Body {
  readonly length: number | undefined;
  readonly announced: string | undefined;
  readonly #replay: BodyReplay;
  #sink: BodySink | undefined;
  #state: 'open' | 'closed' = 'open';
  #failure: Error | undefined;
  #taking = false;
  flowing = true;
  /** Chunks taken. */
  place = 0;

  constructor(replay: BodyReplay, { length, announced }: Body) {
    this.#replay = replay;
    this.length = length;
    this.announced = announced;
  }

  get isRead(): boolean {
    return this.#sink !== undefined;
  }

  get whole(): Uint8Array | undefined {
    return this.#sink === undefined ? this.#replay.whole(this) : undefined;
  }

  pipe(sink: BodySink): void {
    if (this.#sink !== undefined) throw new Error('this body has already been read');
    this.#sink = sink;
    if (this.#failure !== undefined) sink.error(this.#failure);
    else if (this.#state === 'open') this.#replay.advance(this);
  }

  resume(): void {
    if (this.flowing || this.#state === 'closed') return;
    this.flowing = true;
    // A sink may ask for more from inside `data`: whoever delivers there goes on by itself.
    if (!this.#taking) this.#replay.advance(this);
  }

  cancel(reason: Error): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#replay.leave(this, reason);
  }

  take(chunk: Uint8Array): void {
    this.flowing = false;
    this.#taking = true;
    const more = this.#sink!.data(chunk);
    this.#taking = false;
    if (more) this.flowing = true;
  }

  end(trailers: Headers | undefined): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#sink!.end(trailers);
  }

  fail(error: Error): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#failure = error;
    this.#sink?.error(error);
  }
}
