import type { IncomingMessage } from 'node:http';
import { BodyStream, type BodySink, type Exchange } from '../../../src/http/index.ts';
import { refuse, trailersFrom } from '../../../src/listener/admit.ts';
import type { Watch } from '../../../src/listener/watch.ts';

export interface RequestBodyOptions {
  /** Bytes; undefined when the body is chunked. */
  readonly length: number | undefined;
  /** Most bytes; 0 is no limit. */
  readonly limit: number;
  readonly maxTrailers: number;
  /** Called when the body is wanted first: a client that expects 100 gets it then. */
  readonly wanted: () => void;
  readonly watch: Watch;
  readonly elapsed: () => number;
}

/** The body of an HTTP/1 request. Reading starts with `start`, or when somebody pipes it. */
export class Http1RequestBody extends BodyStream {
  readonly #message: IncomingMessage;
  readonly #options: RequestBodyOptions;
  #exchange: Exchange | undefined;
  #received = 0;
  #started = false;
  #open = true;

  constructor(message: IncomingMessage, options: RequestBodyOptions) {
    super(options.length, {
      resume: () => message.resume(),
      cancel: () => {
        this.#open = false;
        message.pause();
      },
    });
    this.#message = message;
    this.#options = options;
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
    this.#message.on('data', (chunk: Buffer) => this.#take(chunk));
    this.#message.on('end', () => this.#finish());
  }

  /** Nothing more will come that counts: the client left, the rest is malformed, or the answer is out already. */
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
      this.#message.pause();
    }
  }

  #finish(): void {
    if (!this.#open) return;
    this.#open = false;
    if (!this.#message.complete) return this.fail(new Error('the request body is incomplete'));
    if (this.#exchange !== undefined) this.#exchange.requestDuration = this.#options.elapsed();
    this.end(trailersFrom(this.#message.rawTrailers, this.#options.maxTrailers));
  }
}
