import { BodyStream, type BodySink, type Exchange, type Headers } from '../../http/index.ts';
import { refuse } from '../admit.ts';
import type { Watch } from '../watch.ts';

export interface RequestBodyOptions {
  /** What content-length says, if it was sent. */
  readonly length: number | undefined;
  /** Names of trailers that the client announces and that may be passed on. */
  readonly announced: string | undefined;
  /** Most bytes; 0 is no limit. */
  readonly limit: number;
  /** Called when the body is wanted first, if the client waits for 100 before it sends it. */
  readonly awaited: (() => void) | undefined;
  /** Whose bytes these are, for the log. */
  readonly exchange: Exchange;
  readonly watch: Watch;
  /** So many bytes have been passed on, or thrown away. @param wanted the client may send as many again on this stream */
  readonly used: (bytes: number, wanted: boolean) => void;
}

/** The body of an HTTP/2 request. What nobody takes keeps the client's windows closed (RFC 9113 §5.2). */
export class Http2RequestBody extends BodyStream {
  readonly #options: RequestBodyOptions;
  #open = true;
  /** Bytes that came and have not been taken. */
  #unused = 0;
  #piped = false;
  #held: boolean;

  constructor(options: RequestBodyOptions) {
    super(options.length, { resume: () => this.#use(), cancel: () => this.#close() }, options.announced);
    this.#options = options;
    this.#held = options.awaited !== undefined;
  }

  /** Whether we, and not the client, have held it up since this was asked last. */
  wasHeld(): boolean {
    const held = this.#held;
    this.#held = this.#open && (this.#unused > 0 || (this.#options.awaited !== undefined && !this.#piped));
    return held;
  }

  override pipe(sink: BodySink): void {
    this.#piped = true;
    this.#options.awaited?.();
    super.pipe({
      data: (chunk) => sink.data(chunk),
      end: (trailers) => {
        this.#use();
        sink.end(trailers);
      },
      error: (error) => sink.error(error),
    });
  }

  /** Takes content from the client. */
  take(chunk: Buffer): void {
    const { exchange, watch, limit, used } = this.#options;
    if (!this.#open) return used(chunk.length, false);
    exchange.bytesReceived += chunk.length;
    watch.touch();
    if (limit > 0 && exchange.bytesReceived > limit) {
      used(chunk.length, false);
      watch.end({ kind: 'reply', reply: refuse(413, 'body_too_large') });
      this.break(new Error('the request body is larger than allowed'));
    } else if (this.push(chunk)) {
      used(chunk.length, true);
    } else {
      this.#unused += chunk.length;
      this.#held = true;
    }
  }

  /** The request is whole. */
  finish(trailers: Headers | undefined): void {
    if (!this.#open) return;
    this.#open = false;
    // Whoever takes it as a whole does not tell when.
    if (!this.#piped) this.#use();
    this.end(trailers);
  }

  /** Nothing more will come that counts: the client left, or the answer is out already. */
  break(reason: Error): void {
    this.#close();
    this.fail(reason);
  }

  #close(): void {
    this.#open = false;
    this.#use();
  }

  #use(): void {
    const bytes = this.#unused;
    this.#unused = 0;
    if (bytes > 0) this.#options.used(bytes, this.#open);
  }
}
