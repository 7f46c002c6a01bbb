import type { Socket } from 'node:net';
import type { ConnectionCut } from '../cut-connections.ts';
import { FlushProgress } from '../flush-progress.ts';
import { ResponsePace } from '../response-pace.ts';
import type { Outbound } from './outbound.ts';

/** Bytes of content that are written at once. */
const contentRoom = 64 * 1024;
/** Bytes that wait in the socket until the client is not listened to any more: it asks, and does not read what it is told. */
const mostUnread = 256 * 1024;

export interface ReadingLimits {
  /** Milliseconds without a byte being read; 0 is off. */
  readonly stream_flush_timeout: number;
  /** Least bytes a second; 0 is off. */
  readonly min_response_rate: number;
}

/** Brings what leaves on a connection to its socket, as far as the client reads, and sees whether it does. */
export class SocketWriter {
  readonly #socket: Socket;
  readonly #outbound: Outbound;
  readonly #limits: ReadingLimits;
  readonly #flush: FlushProgress;
  readonly #pace: ResponsePace;
  #deaf = false;

  constructor(socket: Socket, outbound: Outbound, limits: ReadingLimits) {
    this.#socket = socket;
    this.#outbound = outbound;
    this.#limits = limits;
    this.#flush = new FlushProgress(socket);
    this.#pace = new ResponsePace(limits.min_response_rate);
  }

  /** The client is not listened to until it reads. */
  get deaf(): boolean {
    return this.#deaf;
  }

  /** No stream's content can leave, because of the client. */
  get blocked(): boolean {
    return this.#outbound.exhausted || this.#socket.writableLength > 0;
  }

  /** Writes what there is, content as far as the socket takes it. Answers whether there is more that it would take. */
  flush(): boolean {
    const outbound = this.#outbound;
    const socket = this.#socket;
    const moved = outbound.waiting && !socket.writableNeedDrain ? outbound.fill(contentRoom) : [];
    if (outbound.frames.length > 0) this.#write(outbound.frames.take());
    for (const sender of moved) sender.moved();
    if (!socket.writableNeedDrain) return outbound.waiting && !outbound.exhausted;
    if (socket.writableLength > mostUnread) {
      this.#deaf = true;
      socket.pause();
    }
    return false;
  }

  /** The socket has nothing left to write. */
  drained(): void {
    this.#flush.progressed();
    if (!this.#deaf) return;
    this.#deaf = false;
    this.#socket.resume();
  }

  /** Why the connection must be cut: the client does not read from it, on whatever stream. @param now monotonic milliseconds */
  look(now: number): ConnectionCut | undefined {
    const { stream_flush_timeout: timeout } = this.#limits;
    const unread = this.#socket.writableLength;
    const taken = this.#outbound.sent - unread;
    const waiting = unread > 0 || (this.#outbound.waiting && this.#outbound.exhausted);
    if (this.#pace.tooSlow(now, taken, waiting)) return 'response_too_slow';
    return unread > 0 && timeout > 0 && this.#flush.stuckFor(now) >= timeout ? 'stream_flush_timeout' : undefined;
  }

  #write(pieces: readonly Uint8Array[]): void {
    const socket = this.#socket;
    if (pieces.length === 1) return void socket.write(pieces[0]!);
    socket.cork();
    for (const piece of pieces) socket.write(piece);
    socket.uncork();
  }
}
