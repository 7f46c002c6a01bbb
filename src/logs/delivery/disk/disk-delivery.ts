import { setTimeout as sleep } from 'node:timers/promises';
import type { LogRecord } from '../../record.ts';
import { backoff } from '../backoff.ts';
import type { DeadLetterFile } from '../dead-letter-file.ts';
import type { DeliveryStats } from '../delivery-stats.ts';
import { recordSize } from '../record-size.ts';
import type { SeldomLog } from '../seldom-log.ts';
import type { Sender } from '../sender.ts';
import type { DiskBuffer } from './disk-buffer.ts';
import { encodeFrame } from './frame.ts';

export interface DiskDeliveryOptions {
  readonly disk: DiskBuffer;
  readonly sender: Sender;
  /** Bytes of records that may wait for the disk, about. */
  readonly waitingBytes: number;
  readonly deadLetters: DeadLetterFile;
  readonly random: () => number;
  readonly stats: DeliveryStats;
  readonly log: SeldomLog;
  /** On the disk for good. */
  readonly acknowledged: (records: readonly LogRecord[]) => void;
}

const pauses = { base: 250, max: 2000 };

/** Two loops with a disk between them: what is offered is written and acknowledged, what is written is read and sent. */
export class DiskDelivery {
  readonly #options: DiskDeliveryOptions;
  readonly #abort = new AbortController();
  readonly #running: Promise<unknown>;
  #waiting: LogRecord[] = [];
  #bytes = 0;
  #offered = 0;
  #acknowledged = 0;
  #blocked = false;
  /** Called when there is something to write, something to read, or something was acknowledged. */
  #onOffer: (() => void) | undefined;
  #onWritten: (() => void) | undefined;
  #onAcknowledged: (() => void)[] = [];

  constructor(options: DiskDeliveryOptions) {
    this.#options = options;
    // The loops end by being closed. Anything else is a mistake of ours that nobody handles, and must be heard.
    const quietly = (error: unknown) => {
      if (!this.#abort.signal.aborted) throw error;
    };
    this.#running = Promise.all([this.#write().catch(quietly), this.#send().catch(quietly)]);
  }

  /** The disk is full or ill, and what is offered waits. */
  get blocked(): boolean {
    return this.#blocked;
  }

  get records(): number {
    return this.#offered - this.#acknowledged;
  }

  get bytes(): number {
    return this.#bytes;
  }

  offer(record: LogRecord): boolean {
    this.#waiting.push(record);
    this.#bytes += recordSize(record);
    this.#offered++;
    this.#onOffer?.();
    return this.#hasRoom();
  }

  async room(): Promise<void> {
    while (!this.#hasRoom() && !this.#abort.signal.aborted) await this.#nextAcknowledged();
  }

  /** Not before the store has it: the disk may go with the pod. What is left on it after that is for the next start. */
  async flush(signal: AbortSignal): Promise<void> {
    const until = this.#offered;
    const wake = () => this.#wakeWaiting();
    signal.addEventListener('abort', wake, { once: true });
    const pending = () => this.#acknowledged < until || this.#options.disk.since !== undefined;
    while (pending() && !signal.aborted && !this.#abort.signal.aborted) await this.#nextAcknowledged();
    signal.removeEventListener('abort', wake);
  }

  /** The records that `sender` has delivered. */
  delivered(records: readonly LogRecord[]): void {
    const { disk, log } = this.#options;
    disk.release(records).then(
      () => this.#wakeWaiting(),
      (error: unknown) => {
        log.say('error', 'position', 'the disk buffer cannot note what is delivered; a restart sends it again', {
          reason: (error as Error).message,
        });
      },
    );
  }

  async close(): Promise<void> {
    this.#abort.abort(new Error('delivery was closed'));
    this.#onOffer?.();
    this.#onWritten?.();
    this.#wakeWaiting();
    await this.#options.sender.close();
    await this.#running;
    const { disk, log } = this.#options;
    if (disk.since !== undefined)
      log.say('warn', 'disk_left', 'records are left in the disk buffer, which the next start delivers', {
        bytes: disk.bytes,
      });
    await disk.close();
  }

  #hasRoom(): boolean {
    return this.#bytes < this.#options.waitingBytes;
  }

  #nextAcknowledged(): Promise<void> {
    return new Promise((resolve) => this.#onAcknowledged.push(resolve));
  }

  #wakeWaiting(): void {
    const waiting = this.#onAcknowledged;
    this.#onAcknowledged = [];
    for (const resolve of waiting) resolve();
  }

  async #write(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      if (this.#waiting.length === 0) {
        await new Promise<void>((resolve) => (this.#onOffer = resolve));
        this.#onOffer = undefined;
        continue;
      }
      const records = this.#waiting;
      this.#waiting = [];
      await this.#writeAll(records);
    }
  }

  async #writeAll(records: LogRecord[]): Promise<void> {
    const { disk, stats, random } = this.#options;
    const { signal } = this.#abort;
    const { frames, written: writable } = await this.#encode(records);
    let done = 0;
    for (let failures = 1; ; failures++) {
      const { written, problem } = await disk.append(done === 0 ? frames : frames.slice(done));
      if (written > 0) {
        failures = 1;
        this.#acknowledge(writable.slice(done, done + written));
        done += written;
        this.#onWritten?.();
      }
      if (problem === undefined) break;
      this.#blocked = true;
      if (problem !== 'full') stats.blocked.add();
      this.#tell(problem);
      await sleep(backoff(failures, pauses, random()), undefined, { signal });
    }
    this.#blocked = false;
  }

  /** What cannot be written as JSON can neither be kept nor sent. */
  async #encode(records: readonly LogRecord[]): Promise<{ frames: Buffer[]; written: LogRecord[] }> {
    const frames: Buffer[] = [];
    const written: LogRecord[] = [];
    for (const record of records) {
      try {
        frames.push(encodeFrame(record));
        written.push(record);
      } catch (error) {
        const reason = `cannot be written: ${(error as Error).message}`;
        await this.#options.deadLetters.put([{ record, reason }], this.#abort.signal);
        this.#acknowledge([record]);
      }
    }
    return { frames, written };
  }

  #acknowledge(records: readonly LogRecord[]): void {
    this.#acknowledged += records.length;
    for (const record of records) this.#bytes -= recordSize(record);
    this.#options.acknowledged(records);
    this.#wakeWaiting();
  }

  async #send(): Promise<void> {
    const { disk, sender, log, random } = this.#options;
    const { signal } = this.#abort;
    for (let failures = 1; !signal.aborted;) {
      const wrote = new Promise<void>((resolve) => (this.#onWritten = resolve));
      try {
        const records = await disk.read();
        failures = 1;
        for (const record of records) {
          if (!sender.offer(record)) await sender.room();
          if (signal.aborted) return;
        }
        if (records.length === 0) await wrote;
      } catch (error) {
        log.say('error', 'disk_read', 'the disk buffer cannot be read', { reason: (error as Error).message });
        await sleep(backoff(failures++, pauses, random()), undefined, { signal });
      }
    }
  }

  #tell(problem: 'full' | Error): void {
    const { log } = this.#options;
    if (problem === 'full') log.say('warn', 'disk_full', 'the disk buffer has reached its max_bytes; reading pauses');
    else log.say('error', 'disk', 'the disk buffer cannot be written; reading pauses', { reason: problem.message });
  }
}
