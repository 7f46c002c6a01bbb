import pino from 'pino';
import type { OpenTarget } from './open-target.ts';
import { writeWhole, type Outlet, type OutletEvents } from './outlet.ts';

/** Writes through pino's destination, in another thread: a disk can make whoever writes to it wait, whatever it was asked. */
export class PinoOutlet implements Outlet {
  readonly #fd: number;
  readonly #stream: ReturnType<typeof pino.destination>;
  readonly #flush: () => void;
  readonly #events: OutletEvents;
  /** The text under way or failed, and how many bytes of it have been written. */
  #text = '';
  #written = 0;
  #state: 'idle' | 'writing' | 'failed' = 'idle';
  #closed = false;

  constructor({ fd }: OpenTarget, events: OutletEvents) {
    this.#fd = fd;
    this.#events = events;
    const stream = pino.destination({
      dest: fd,
      sync: false,
      minLength: 1,
      // The stream's own retry could outlive the file descriptor.
      retryEAGAIN: () => false,
    });
    this.#stream = stream;
    this.#flush = stream.flush.bind(stream);
    // Pino's listener turns a broken pipe into a stream that swallows lines; here they are counted.
    stream.removeAllListeners('error');
    stream.on('error', (error: NodeJS.ErrnoException) => this.#ended('failed', error));
    stream.on('write', (bytes: number) => (this.#written += bytes));
    stream.on('drain', () => this.#ended('idle', undefined));
    // Pino calls these at the end of the process. They would wait for ever for a disk that is full or a reader that sleeps.
    stream.flushSync = () => {};
    stream.flush = () => {};
  }

  write(text: string): boolean {
    this.#text = text;
    this.#written = 0;
    this.#state = 'writing';
    this.#stream.write(text);
    return false;
  }

  again(): boolean {
    this.#state = 'writing';
    // It has kept what it could not write.
    this.#flush();
    return false;
  }

  #ended(state: 'idle' | 'failed', error: NodeJS.ErrnoException | undefined): void {
    this.#state = state;
    if (this.#closed) this.#stream.destroy();
    else if (error === undefined) this.#events.done();
    else this.#events.failed(error);
  }

  restNow(): void {
    writeWhole(this.#fd, Buffer.from(this.#text).subarray(this.#written));
  }

  writeNow(text: string): void {
    writeWhole(this.#fd, Buffer.from(text));
  }

  close(): void {
    this.#closed = true;
    // Else when the write has ended: the number of a file that is closed under it may be another file's by then.
    if (this.#state !== 'writing') this.#stream.destroy();
  }
}
