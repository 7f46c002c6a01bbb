import { setTimeout as sleep } from 'node:timers/promises';
import type { OpenTarget } from './open-target.ts';
import type { Outlet } from './outlet.ts';
import { PinoOutlet } from './pino-outlet.ts';
import { PipeOutlet } from './pipe-outlet.ts';

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
  text: string;
  bytes: number;
  readonly shares: Shares;
}

/** Bytes that are handed over together, where a pipe does not want less. */
const usualBatch = 16 * 1024;
/** Bytes of batches that are written together, when they had to wait for others. */
const mostAtOnce = 256 * 1024;
/** Bytes that wait for a slow reader before lines are dropped. */
const mostWaiting = 4 * 1024 * 1024;
/** Milliseconds until a full pipe is tried again, twice as many each time; and anything else that failed. */
const firstPipeRetry = 1;
const lastPipeRetry = 50;
const otherRetry = 1000;
/** Milliseconds in which the rest must be written when the log is closed. */
const patience = 1000;

/**
 * Writes batches to an open target, one after the other. What waits meanwhile is kept here, so that it is known which lines
 * are lost when they are.
 */
export class LineWriting {
  /** Bytes that a batch should have at most. */
  readonly batchBytes: number;
  readonly identity: string;
  readonly #events: WritingEvents;
  readonly #outlet: Outlet;
  readonly #mostAtOnce: number;
  #queue: Batch[] = [];
  #waitingBytes = 0;
  /** Handed to the outlet and not written yet. */
  #current: Batch | undefined;
  #state: 'idle' | 'writing' | 'failed' | 'ending' | 'closed' = 'idle';
  #retry: NodeJS.Timeout | undefined;
  #pipeRetry = firstPipeRetry;

  constructor(target: OpenTarget, events: WritingEvents) {
    this.#events = events;
    this.identity = target.identity;
    this.batchBytes = target.atomic ?? usualBatch;
    this.#mostAtOnce = target.atomic ?? mostAtOnce;
    const outletEvents = { done: () => this.#done(), failed: (error: NodeJS.ErrnoException) => this.#failed(error) };
    this.#outlet = target.nonblocking ? new PipeOutlet(target, outletEvents) : new PinoOutlet(target, outletEvents);
    lastWordsOf(this);
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
    this.#pump();
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
    this.#state = 'closed';
    atEnd.delete(this);
    clearTimeout(this.#retry);
    if (this.#current !== undefined) this.#events.dropped(this.#current.shares);
    for (const { shares } of this.#queue) this.#events.dropped(shares);
    this.#current = undefined;
    this.#queue = [];
    this.#outlet.close();
  }

  /** Writes what waits without another thread, as far as it goes without waiting. The process ends. */
  lastWords(): void {
    // What is under way will be finished by its thread; what failed is still to be written, or the rest of it.
    const failed = this.#state === 'failed';
    this.#state = 'ending';
    this.#events.lastCall();
    try {
      if (failed) this.#outlet.restNow();
      this.#current = undefined;
      for (let batch = this.#queue[0]; batch !== undefined; batch = this.#queue[0]) {
        this.#outlet.writeNow(batch.text);
        this.#queue.shift();
      }
    } catch {
      // Nobody reads, or nothing fits: there is no later.
    }
  }

  #pump(): void {
    while (this.#state === 'idle' && this.#queue.length > 0) {
      const batch = this.#take();
      this.#current = batch;
      this.#state = 'writing';
      if (this.#outlet.write(batch.text, batch.bytes)) this.#written();
    }
  }

  /** The next batch, with those behind it that fit into the same write. */
  #take(): Batch {
    const first = this.#queue[0]!;
    let taken = 1;
    for (let next = this.#queue[1]; next !== undefined; next = this.#queue[++taken]) {
      if (first.bytes + next.bytes > this.#mostAtOnce) break;
      first.text += next.text;
      first.bytes += next.bytes;
      first.shares.push(...next.shares);
    }
    this.#queue.splice(0, taken);
    return first;
  }

  #written(): void {
    this.#waitingBytes -= this.#current?.bytes ?? 0;
    this.#current = undefined;
    this.#pipeRetry = firstPipeRetry;
    if (this.#state === 'writing') this.#state = 'idle';
  }

  #done(): void {
    this.#written();
    this.#pump();
  }

  #failed(error: NodeJS.ErrnoException): void {
    if (this.#state === 'closed' || this.#state === 'ending') return;
    this.#state = 'failed';
    const full = error.code === 'EAGAIN' || error.code === 'EBUSY';
    const delay = full ? this.#pipeRetry : otherRetry;
    if (full) this.#pipeRetry = Math.min(lastPipeRetry, this.#pipeRetry * 2);
    this.#retry = setTimeout(() => this.#tryAgain(), delay).unref();
    if (!full) this.#events.failed(error);
  }

  #tryAgain(): void {
    if (this.#state !== 'failed') return;
    clearTimeout(this.#retry);
    this.#state = 'writing';
    if (this.#outlet.again()) this.#done();
  }
}

/** Those whose lines would be lost with the process. */
const atEnd = new Set<LineWriting>();
let listening = false;

function lastWordsOf(writing: LineWriting): void {
  atEnd.add(writing);
  if (listening) return;
  listening = true;
  process.on('beforeExit', () => {
    for (const one of [...atEnd]) {
      one.lastWords();
      // Whatever is under way would keep the process.
      one.abandon();
    }
  });
  process.on('exit', () => {
    for (const one of atEnd) one.lastWords();
  });
}
