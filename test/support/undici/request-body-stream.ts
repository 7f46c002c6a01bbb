import { Readable } from 'node:stream';
import type { Body } from '../../../src/http/index.ts';

/** A body as the stream that undici wants. It asks the body for bytes when undici asks for some, not before. */
export class RequestBodyStream extends Readable {
  readonly #body: Body;
  #state: 'untouched' | 'flowing' | 'paused' | 'over' = 'untouched';

  constructor(body: Body) {
    super();
    this.#body = body;
    // undici takes its listener away before the stream is closed, and an error nobody hears ends the process.
    this.on('error', () => {});
  }

  override _read(): void {
    if (this.#state === 'untouched') {
      this.#state = 'flowing';
      this.#body.pipe({
        data: (chunk) => {
          if (this.push(chunk)) return true;
          this.#state = 'paused';
          return false;
        },
        end: () => {
          this.#state = 'over';
          this.push(null);
        },
        error: (error) => {
          this.#state = 'over';
          this.destroy(error);
        },
      });
    } else if (this.#state === 'paused') {
      this.#state = 'flowing';
      this.#body.resume();
    }
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const over = this.#state === 'over' || this.#state === 'untouched';
    this.#state = 'over';
    if (!over) this.#body.cancel(error ?? new Error('the upstream wants no more of the request body'));
    callback(error);
  }
}
