import type { ServerHttp2Stream } from 'node:http2';
import { BodyStream, type BodySink, type Exchange } from '../../../src/http/index.ts';
import { refuse, trailersFrom } from '../../../src/listener/admit.ts';
import type { Watch } from '../../../src/listener/watch.ts';

export interface RequestBodyOptions {
  /** What content-length says, if it was sent. */
  readonly length: number | undefined;
  /** Most bytes; 0 is no limit. */
  readonly limit: number;
  readonly maxTrailers: number;
  /** Called when the body is wanted first, if the client waits for 100 before it sends it. */
  readonly awaited: (() => void) | undefined;
  /** Whose bytes these are, for the log. */
  readonly exchange: Exchange;
  readonly watch: Watch;
  readonly clock: { monotonic(): number };
}

/** The body of an HTTP/2 request. Reading starts with `start`, or when somebody pipes it. */
export class Http2RequestBody extends BodyStream {
  readonly #stream: ServerHttp2Stream;
  readonly #options: RequestBodyOptions;
  #started = false;
  #open = true;
  #held: boolean;
  #trailers: readonly string[] = [];

  constructor(stream: ServerHttp2Stream, options: RequestBodyOptions) {
    super(options.length, {
      resume: () => stream.resume(),
      cancel: () => {
        this.#open = false;
        stream.pause();
      },
    });
    this.#stream = stream;
    this.#options = options;
    this.#held = options.awaited !== undefined;
    stream.on('trailers', (_fields: object, _flags: number, raw?: string[]) => {
      this.#trailers = raw ?? [];
    });
  }

  /** Whether all of it has been received and read. */
  get finished(): boolean {
    return this.#options.exchange.requestDuration !== undefined;
  }

  /** Whether we, and not the client, have held it up since this was asked last. */
  wasHeld(): boolean {
    const held = this.#held;
    this.#held = this.#open && (!this.#started || this.#stream.isPaused());
    return held;
  }

  override pipe(sink: BodySink): void {
    if (!this.#started) {
      this.#options.awaited?.();
      this.start();
    }
    super.pipe(sink);
  }

  start(): void {
    this.#started = true;
    this.#stream.on('data', (chunk: Buffer) => this.#take(chunk));
    this.#stream.on('end', () => this.#finish());
  }

  /** Nothing more will come that counts: the client left, or the answer is out already. */
  break(reason: Error): void {
    this.#open = false;
    this.fail(reason);
  }

  #take(chunk: Buffer): void {
    if (!this.#open) return;
    const { exchange, watch, limit } = this.#options;
    exchange.bytesReceived += chunk.byteLength;
    watch.touch();
    if (limit > 0 && exchange.bytesReceived > limit) {
      watch.end({ kind: 'reply', reply: refuse(413, 'body_too_large') });
      this.break(new Error('the request body is larger than allowed'));
    } else if (!this.push(chunk)) {
      this.#held = true;
      this.#stream.pause();
    }
  }

  #finish(): void {
    if (!this.#open) return;
    this.#open = false;
    const stream = this.#stream;
    const { exchange, clock, maxTrailers } = this.#options;
    // A stream that was reset, or lost with its connection, ends like one that was completed.
    if (stream.aborted || stream.rstCode !== 0) return this.fail(new Error('the request body is incomplete'));
    if (this.length !== undefined && exchange.bytesReceived !== this.length)
      return this.fail(new Error('the request body has not the announced length'));
    exchange.requestDuration = clock.monotonic() - exchange.started;
    this.end(trailersFrom(this.#trailers, maxTrailers));
  }
}
