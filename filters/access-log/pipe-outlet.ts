import { closeSync, writeSync } from 'node:fs';
import type { OpenTarget } from './open-target.ts';
import { writeWhole, type Outlet, type OutletEvents } from './outlet.ts';

const nothing = Buffer.alloc(0);

/**
 * Writes to a pipe that never waits. That costs less than to ask another thread for it, which could write but once in a round
 * of the event loop: a busy proxy has more to say in it than what fits in one write.
 */
export class PipeOutlet implements Outlet {
  readonly #target: OpenTarget;
  readonly #events: OutletEvents;
  /** What did not fit. */
  #rest = nothing;

  constructor(target: OpenTarget, events: OutletEvents) {
    this.#target = target;
    this.#events = events;
  }

  write(text: string, bytes: number): boolean {
    let written = 0;
    try {
      written = writeSync(this.#target.fd, text);
    } catch (error) {
      this.#rest = Buffer.from(text);
      this.#events.failed(error as NodeJS.ErrnoException);
      return false;
    }
    if (written === bytes) return true;
    // Longer than what is written at once, and the pipe is full by now.
    this.#rest = Buffer.from(text).subarray(written);
    return this.again();
  }

  again(): boolean {
    try {
      while (this.#rest.length > 0) this.#rest = this.#rest.subarray(writeSync(this.#target.fd, this.#rest));
      this.#rest = nothing;
      return true;
    } catch (error) {
      this.#events.failed(error as NodeJS.ErrnoException);
      return false;
    }
  }

  restNow(): void {
    writeWhole(this.#target.fd, this.#rest);
    this.#rest = nothing;
  }

  writeNow(text: string): void {
    writeWhole(this.#target.fd, Buffer.from(text));
  }

  close(): void {
    if (this.#target.owned) closeSync(this.#target.fd);
  }
}
