import type { ServerHttp2Stream } from 'node:http2';
import { BodyStream, type BodySink, type Exchange } from '../../http/index.ts';
import { refuse, trailersFrom } from '../admit.ts';
import type { Watch } from '../watch.ts';

export interface RequestBodyOptions {
  /** What content-length says, if it was sent. */
  readonly length: number | undefined;
  /** Most bytes; 0 is no limit. */
  readonly limit: number;
  readonly maxTrailers: number;
  /** Called when the body is wanted first: a client that expects 100 gets it then. */
  readonly wanted: () => void;
  readonly watch: Watch;
  readonly elapsed: () => number;
}

/** The body of an HTTP/2 request. Reading starts with `start`, or when somebody pipes it. */
export class Http2RequestBody extends BodyStream {
  readonly #stream: ServerHttp2Stream;
  readonly #options: RequestBodyOptions;
  #exchange: Exchange | undefined;
  #received = 0;
  #started = false;
  #open = true;
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
    stream.on('trailers', (_fields: object, _flags: number, raw?: string[]) => {
      this.#trailers = raw ?? [];
    });
  }

  /** Whether all of it has been received and read. */
  get finished(): boolean {
    return this.#exchange?.requestDuration !== undefined;
  }

  /** Whose bytes these are, for the log. */
  belongsTo(exchange: Exchange): void {
    this.#exchange = exchange;
  }

  override pipe(sink: BodySink): void {
    if (!this.#started) {
      this.#options.wanted();
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
    const { watch, limit } = this.#options;
    this.#received += chunk.byteLength;
    if (this.#exchange !== undefined) this.#exchange.bytesReceived = this.#received;
    watch.touch();
    if (limit > 0 && this.#received > limit) {
      this.break(new Error('the request body is larger than allowed'));
      watch.end({ kind: 'reply', reply: refuse(413, 'body_too_large', 'LL') });
    } else if (!this.push(chunk)) {
      this.#stream.pause();
    }
  }

  #finish(): void {
    if (!this.#open) return;
    this.#open = false;
    const stream = this.#stream;
    // A stream that was reset, or lost with its connection, ends like one that was completed.
    if (stream.aborted || stream.rstCode !== 0) return this.fail(new Error('the request body is incomplete'));
    if (this.length !== undefined && this.#received !== this.length)
      return this.fail(new Error('the request body has not the announced length'));
    if (this.#exchange !== undefined) this.#exchange.requestDuration = this.#options.elapsed();
    this.end(trailersFrom(this.#trailers, this.#options.maxTrailers));
  }
}
