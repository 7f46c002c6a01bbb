import type { AppendOutcome, DiskQueue, QueueDepth, QueuedRecord } from '../../disk-queue/index.ts';

/** What an output needs of a queue. */
export interface PushQueue extends Pick<DiskQueue, 'append' | 'next' | 'arrival' | 'acknowledge' | 'rewind' | 'close'> {
  readonly depth: Pick<QueueDepth, 'records' | 'bytes'>;
}

/** A queue that ends with the process; the oldest records go when it is full. */
export class MemoryQueue implements PushQueue {
  readonly #maxBytes: number;
  readonly #dropped: (records: number) => void;
  readonly #records: QueuedRecord[] = [];
  #bytes = 0;
  #next = 1;
  #read = 0;
  #arrived: (() => void)[] = [];
  #closed = false;

  constructor(maxBytes: number, dropped: (records: number) => void) {
    this.#maxBytes = maxBytes;
    this.#dropped = dropped;
  }

  get depth(): { readonly records: number; readonly bytes: number } {
    return { records: this.#records.length, bytes: this.#bytes };
  }

  async append(bytes: Uint8Array): Promise<AppendOutcome> {
    if (this.#closed) return 'closed';
    if (bytes.length > this.#maxBytes) return 'too_large';
    while (this.#bytes + bytes.length > this.#maxBytes) {
      this.#bytes -= this.#records.shift()!.bytes.length;
      this.#dropped(1);
    }
    this.#records.push({ sequence: this.#next++, bytes: Buffer.from(bytes) });
    this.#bytes += bytes.length;
    this.#wake();
    return 'stored';
  }

  async next(): Promise<QueuedRecord | undefined> {
    const found = this.#closed ? undefined : this.#records.find(({ sequence }) => sequence > this.#read);
    if (found !== undefined) this.#read = found.sequence;
    return found;
  }

  arrival(): Promise<void> {
    if (this.#closed || this.#next - 1 > this.#read) return Promise.resolve();
    return new Promise((resolve) => this.#arrived.push(resolve));
  }

  acknowledge(sequence: number): void {
    while (this.#records.length > 0 && this.#records[0]!.sequence <= sequence) {
      this.#bytes -= this.#records.shift()!.bytes.length;
    }
  }

  rewind(): void {
    this.#read = (this.#records[0]?.sequence ?? this.#next) - 1;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#arrived.splice(0)) resolve();
  }
}
