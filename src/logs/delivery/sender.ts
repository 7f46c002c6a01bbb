import type { Clock } from '../../filter/define-filter.ts';
import type { LogRecord } from '../record.ts';
import type { Batch, BatchLimits } from './batch.ts';
import type { Courier } from './courier.ts';
import { Lane } from './lane.ts';
import { recordSize } from './record-size.ts';

export interface SenderOptions extends BatchLimits {
  readonly maxWait: number;
  /** Bytes of records that may be here, about. */
  readonly bufferBytes: number;
  /** Batches under way at a time. */
  readonly lanes: number;
  readonly courier: Courier;
  readonly clock: Clock;
  /** Records that are delivered, in the order of their source. */
  readonly delivered: (records: readonly LogRecord[]) => void;
}

/** Records in memory on their way to the store. Those of one source are always in the same lane, so they keep their order. */
export class Sender {
  readonly #options: SenderOptions;
  readonly #lanes: readonly Lane[];
  readonly #abort = new AbortController();
  readonly #running: Promise<unknown>;
  #records = 0;
  #bytes = 0;
  #offered = 0;
  #delivered = 0;
  #waitingForRoom: (() => void)[] = [];
  #waitingForEmpty: { readonly until: number; readonly resolve: () => void }[] = [];

  constructor(options: SenderOptions) {
    this.#options = options;
    const { maxRecords, maxBytes, maxWait, clock, courier } = options;
    // Half of the buffer at most: while one batch is sent another one fills.
    const limits = { maxRecords, maxBytes: Math.min(maxBytes, options.bufferBytes / 2), maxWait, clock };
    const deliver = (records: readonly LogRecord[]) => courier.deliver(records, this.#abort.signal);
    const done = (batch: Batch) => this.#done(batch);
    this.#lanes = Array.from({ length: options.lanes }, () => new Lane({ ...limits, deliver, done }));
    // A lane ends by being closed. Anything else is a mistake of ours that nobody handles, and must be heard.
    const quietly = (error: unknown) => {
      if (!this.#abort.signal.aborted) throw error;
    };
    this.#running = Promise.all(this.#lanes.map((lane) => lane.run().catch(quietly)));
  }

  get records(): number {
    return this.#records;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Milliseconds since the oldest record here came. */
  get oldest(): number {
    const since = this.#lanes.flatMap((lane) => lane.oldest ?? []);
    return since.length === 0 ? 0 : this.#options.clock.monotonic() - Math.min(...since);
  }

  /** False: taken, and now it is full. */
  offer(record: LogRecord): boolean {
    const size = recordSize(record);
    this.#offered++;
    this.#records++;
    this.#bytes += size;
    this.#laneOf(record).add(record, size);
    if (this.#hasRoom()) return true;
    // A buffer smaller than its batches is never sent by their size.
    for (const lane of this.#lanes) lane.send();
    return false;
  }

  room(): Promise<void> {
    if (this.#hasRoom() || this.#abort.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => this.#waitingForRoom.push(resolve));
  }

  /** Resolves when all that was offered so far is delivered, or the signal aborts, or this is closed. */
  async flush(signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#abort.signal.aborted || this.#records === 0) return;
    for (const lane of this.#lanes) lane.send();
    await new Promise<void>((resolve) => {
      const waiter = { until: this.#offered, resolve: () => settle() };
      const settle = () => {
        signal.removeEventListener('abort', settle);
        this.#waitingForEmpty = this.#waitingForEmpty.filter((other) => other !== waiter);
        resolve();
      };
      signal.addEventListener('abort', settle, { once: true });
      this.#waitingForEmpty.push(waiter);
    });
  }

  async close(): Promise<void> {
    this.#abort.abort(new Error('delivery was closed'));
    for (const lane of this.#lanes) lane.close();
    this.#wakeAll();
    await this.#running;
  }

  #hasRoom(): boolean {
    return this.#bytes < this.#options.bufferBytes;
  }

  #laneOf({ source }: LogRecord): Lane {
    if (this.#lanes.length === 1) return this.#lanes[0]!;
    return this.#lanes[hash(source.key) % this.#lanes.length]!;
  }

  #done({ records, bytes }: Batch): void {
    this.#records -= records.length;
    this.#bytes -= bytes;
    this.#delivered += records.length;
    this.#options.delivered(records);
    if (this.#hasRoom()) {
      const waiting = this.#waitingForRoom;
      this.#waitingForRoom = [];
      for (const resolve of waiting) resolve();
    }
    // With several lanes `until` may be reached by later records of a quick lane: then wait for all of them.
    for (const { until, resolve } of this.#waitingForEmpty) {
      if (this.#lanes.length === 1 ? this.#delivered >= until : this.#records === 0) resolve();
    }
  }

  #wakeAll(): void {
    for (const resolve of this.#waitingForRoom) resolve();
    this.#waitingForRoom = [];
    for (const { resolve } of this.#waitingForEmpty) resolve();
  }
}

/** FNV-1a over UTF-16 units: the same lane for the same source. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  return value >>> 0;
}
