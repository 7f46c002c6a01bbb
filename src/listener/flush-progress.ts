import type { Socket } from 'node:net';

/** What Node itself looks at when it decides whether a socket is idle: bytes of the current write that are left. */
interface WritingHandle {
  readonly writeQueueSize?: number;
  /** Of all writes, this one as well. */
  readonly bytesWritten?: number;
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

  /** Bytes that the client's kernel, or ours for it, has taken so far; content of TLS before it is encrypted. */
  get taken(): number {
    const handle = this.#handle;
    return (handle?.bytesWritten ?? 0) - (handle?.writeQueueSize ?? 0);
  }

  get #handle(): WritingHandle | null | undefined {
    return (this.#socket as Socket & { _handle?: WritingHandle | null })._handle;
  }

  /** All was taken, even if there is more by now. */
  progressed(): void {
    this.#since = undefined;
  }

  /** Milliseconds for which not a byte of what is pending has been taken. @param now monotonic milliseconds */
  stuckFor(now: number): number {
    const pending = this.#socket.writableLength;
    // A large write counts as pending until its last byte is taken; the handle knows how much of it is left.
    const queued = this.#handle?.writeQueueSize ?? 0;
    if (this.#since === undefined || pending < this.#pending || queued < this.#queued) this.#since = now;
    this.#pending = pending;
    this.#queued = queued;
    return now - this.#since;
  }
}
