import type { Clock } from '../../filter/define-filter.ts';
import type { LogRecord } from '../record.ts';
import { isFull, type Batch, type BatchLimits } from './batch.ts';

export interface LaneOptions extends BatchLimits {
  /** Milliseconds that a record waits for others. */
  readonly maxWait: number;
  readonly clock: Clock;
  /** @throws when the lane is to end */
  readonly deliver: (records: readonly LogRecord[]) => Promise<void>;
  readonly done: (batch: Batch) => void;
}

/** One batch at a time: what stands here goes in its order, and a batch that fails holds up those behind it. */
export class Lane {
  readonly #options: LaneOptions;
  readonly #full: Batch[] = [];
  #filling: Batch | undefined;
  #sending: Batch | undefined;
  /** The batch that fills has waited long enough. */
  #due = false;
  #timer: NodeJS.Timeout | undefined;
  #wake: (() => void) | undefined;
  #ended = false;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** Clock reading at which the oldest record came that is not delivered; undefined when there is none. */
  get oldest(): number | undefined {
    return (this.#sending ?? this.#full[0] ?? this.#filling)?.since;
  }

  add(record: LogRecord, size: number): void {
    const { clock, maxWait } = this.#options;
    if (this.#filling !== undefined && isFull(this.#filling, size, this.#options)) this.#cut();
    if (this.#filling === undefined) {
      this.#filling = { records: [], bytes: 0, since: clock.monotonic() };
      this.#timer = setTimeout(() => this.send(), maxWait);
    }
    this.#filling.records.push(record);
    this.#filling.bytes += size;
    if (isFull(this.#filling, 1, this.#options)) this.#cut();
  }

  /** What is here need not wait for others. */
  send(): void {
    if (this.#filling === undefined) return;
    this.#due = true;
    this.#wake?.();
  }

  /** Ends when it is closed, or `deliver` throws. */
  async run(): Promise<void> {
    while (!this.#ended) {
      const batch = this.#take();
      if (batch === undefined) {
        await new Promise<void>((resolve) => (this.#wake = resolve));
        this.#wake = undefined;
        continue;
      }
      this.#sending = batch;
      await this.#options.deliver(batch.records);
      this.#sending = undefined;
      this.#options.done(batch);
    }
  }

  close(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#wake?.();
  }

  #take(): Batch | undefined {
    if (this.#full.length === 0 && this.#due) this.#cut();
    return this.#full.shift();
  }

  #cut(): void {
    clearTimeout(this.#timer);
    this.#due = false;
    this.#full.push(this.#filling!);
    this.#filling = undefined;
    this.#wake?.();
  }
}
