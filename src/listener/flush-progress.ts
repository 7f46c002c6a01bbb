import type { Socket } from 'node:net';

/** What Node itself looks at when it decides whether a socket is idle: bytes of the current write that are left. */
interface WritingHandle {
  readonly writeQueueSize?: number;
}

/** Sees whether a client reads what has been written to its socket. Looked at now and then, so writing costs nothing more. */
export class FlushProgress {
  readonly #socket: Socket;
  #pending = 0;
  #queued = 0;
  #since: number | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** All was taken, even if there is more by now. */
  progressed(): void {
    this.#since = undefined;
  }

  /** Milliseconds for which not a byte of what is pending has been taken. @param now monotonic milliseconds */
  stuckFor(now: number): number {
    const pending = this.#socket.writableLength;
    // A large write counts as pending until its last byte is taken; the handle knows how much of it is left.
    const queued = (this.#socket as Socket & { _handle?: WritingHandle | null })._handle?.writeQueueSize ?? 0;
    if (this.#since === undefined || pending < this.#pending || queued < this.#queued) this.#since = now;
    this.#pending = pending;
    this.#queued = queued;
    return now - this.#since;
  }
}
