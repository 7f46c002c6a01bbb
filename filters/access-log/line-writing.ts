import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import type { OpenTarget } from './open-target.ts';

/** Who wrote a line is told when it is lost. */
export interface LineWriter {
  dropped(lines: number): void;
}

/** How many lines of each writer there are in a batch. */
export type Shares = { readonly writer: LineWriter; lines: number }[];

export interface WritingEvents {
  dropped(shares: Shares): void;
  /** Not told of a pipe that is full: that is everyday. */
  failed(error: NodeJS.ErrnoException): void;
  /** The process ends without closing the log: what comes now is still written. */
  lastCall(): void;
}

/** Lines that are handed over together. */
interface Batch {
  readonly text: string;
  readonly bytes: number;
  readonly shares: Shares;
}

/** Bytes that go into one write, where a pipe does not want less. */
const usualBatch = 16 * 1024;
/** Bytes that wait for a slow reader before lines are dropped. */
const mostWaiting = 4 * 1024 * 1024;
/** Milliseconds until a full pipe, and until anything else that failed, is tried again. */
const pipeRetry = 20;
const otherRetry = 1000;
/** Milliseconds in which the rest must be written when the log is closed. */
const patience = 1000;

/**
 * Writes batches to an open target, one after the other, through pino's destination, which does it in another thread.
 * What waits meanwhile is kept here, so that it is known which lines are lost when they are.
 */
export class LineWriting {
  /** Bytes that a batch should have at most. */
  readonly batchBytes: number;
  readonly identity: string;
  readonly #fd: number;
  readonly #events: WritingEvents;
  readonly #stream: ReturnType<typeof pino.destination>;
  readonly #flushStream: () => void;
  #queue: Batch[] = [];
  #waitingBytes = 0;
  /** Handed to the stream, and how many bytes of it have been written. */
  #current: Batch | undefined;
  #written = 0;
  #state: 'idle' | 'writing' | 'failed' | 'closed' = 'idle';
  #retry: NodeJS.Timeout | undefined;

  constructor(target: OpenTarget, events: WritingEvents) {
    this.#fd = target.fd;
    this.#events = events;
    this.identity = target.identity;
    this.batchBytes = target.atomic ?? usualBatch;
    const stream = pino.destination({
      dest: target.fd,
      sync: false,
      minLength: 1,
      // The stream's own retry could outlive the file descriptor.
      retryEAGAIN: () => false,
    });
    this.#stream = stream;
    this.#flushStream = stream.flush.bind(stream);
    // Pino's listener turns a broken pipe into a stream that swallows lines; here they are counted.
    stream.removeAllListeners('error');
    stream.on('error', (error: NodeJS.ErrnoException) => this.#onError(error));
    stream.on('write', (bytes: number) => (this.#written += bytes));
    stream.on('drain', () => this.#onDrain());
    // Pino calls these at the end of the process. Its own would wait for ever for a disk that is full or a reader that sleeps.
    stream.flushSync = () => this.#lastWords();
    stream.flush = () => {
      this.#lastWords();
      this.abandon();
    };
  }

  /** Some lines are not written yet. */
  get waiting(): boolean {
    return this.#current !== undefined || this.#queue.length > 0;
  }

  write(text: string, shares: Shares): void {
    const bytes = Buffer.byteLength(text);
    if (this.#state === 'closed' || this.#waitingBytes + bytes > mostWaiting) {
      this.#events.dropped(shares);
      return;
    }
    this.#waitingBytes += bytes;
    this.#queue.push({ text, bytes, shares });
    if (this.#state === 'idle') this.#next();
  }

  /** Writes what waits, for a second at most, then closes. */
  async finish(): Promise<void> {
    const deadline = performance.now() + patience;
    while (this.waiting && this.#state !== 'closed' && performance.now() < deadline) {
      this.#tryAgain();
      await sleep(5);
    }
    this.abandon();
  }

  /** Closes as soon as the system lets go; what waits is lost. */
  abandon(): void {
    if (this.#state === 'closed') return;
    const writing = this.#state === 'writing';
    this.#state = 'closed';
    clearTimeout(this.#retry);
    if (this.#current !== undefined) this.#events.dropped(this.#current.shares);
    for (const { shares } of this.#queue) this.#events.dropped(shares);
    this.#current = undefined;
    this.#queue = [];
    // Else when the write has ended: the number of a file that is closed under it may be another file's by then.
    if (!writing) this.#stream.destroy();
  }

  #next(): void {
    const batch = this.#queue.shift();
    this.#current = batch;
    this.#written = 0;
    if (batch === undefined) {
      this.#state = 'idle';
      return;
    }
    this.#state = 'writing';
    this.#stream.write(batch.text);
  }

  #onDrain(): void {
    if (this.#state === 'closed') {
      this.#stream.destroy();
      return;
    }
    this.#waitingBytes -= this.#current?.bytes ?? 0;
    this.#next();
  }

  #onError(error: NodeJS.ErrnoException): void {
    if (this.#state === 'closed') {
      this.#stream.destroy();
      return;
    }
    this.#state = 'failed';
    const full = error.code === 'EAGAIN' || error.code === 'EBUSY';
    this.#retry = setTimeout(() => this.#tryAgain(), full ? pipeRetry : otherRetry).unref();
    if (!full) this.#events.failed(error);
  }

  /** The stream has kept what it could not write. */
  #tryAgain(): void {
    if (this.#state !== 'failed') return;
    clearTimeout(this.#retry);
    this.#state = 'writing';
    this.#flushStream();
  }

  /** Writes what waits without another thread, as far as it goes without waiting. */
  #lastWords(): void {
    if (this.#state === 'closed') return;
    // What is under way will be finished by its thread; what failed is still to be written, or the rest of it.
    const failed = this.#state === 'failed' ? this.#current : undefined;
    this.#state = 'failed';
    this.#events.lastCall();
    try {
      if (failed !== undefined) writeWhole(this.#fd, failed.text, this.#written);
      this.#current = undefined;
      for (let batch = this.#queue[0]; batch !== undefined; batch = this.#queue[0]) {
        writeWhole(this.#fd, batch.text, 0);
        this.#queue.shift();
      }
    } catch {
      // Nobody reads, or nothing fits: there is no later.
    }
  }
}

/** @throws Error of the system */
function writeWhole(fd: number, text: string, from: number): void {
  const bytes = Buffer.from(text);
  for (let at = from; at < bytes.length;) at += writeSync(fd, bytes, at);
}
