import { setTimeout as sleep } from 'node:timers/promises';
import type { DiskQueue } from '../../../disk-queue/index.ts';
import type { LogRecord } from '../../record.ts';
import { backoff } from '../backoff.ts';
import type { DeadLetterFile } from '../dead-letter-file.ts';
import { recordSize } from '../record-size.ts';
import type { SeldomLog } from '../seldom-log.ts';
import type { Sender } from '../sender.ts';
import { HandedOut } from './handed-out.ts';
import { readRecord, writeRecord } from './stored-record.ts';

export interface DiskDeliveryOptions {
  readonly queue: DiskQueue;
  readonly sender: Sender;
  /** Bytes of records that may wait for the disk, about. */
  readonly waitingBytes: number;
  readonly deadLetters: DeadLetterFile;
  readonly random: () => number;
  /** Told of a record that was read back and is none. */
  readonly unreadable: () => void;
  readonly log: SeldomLog;
  /** On the disk for good, or in the dead-letter file. */
  readonly acknowledged: (records: readonly LogRecord[]) => void;
}

const pauses = { base: 250, max: 2000 };
/** Bytes after which those who wait are told what is on the disk. */
const piece = 1024 * 1024;

/** A record as it goes to the disk, or why it cannot. */
interface Parcel {
  readonly record: LogRecord;
  readonly bytes: Buffer | undefined;
  readonly problem: string;
}

/** Two loops with a disk between them: what is offered is written and acknowledged, what is written is read and sent. */
export class DiskDelivery {
  readonly #options: DiskDeliveryOptions;
  readonly #abort = new AbortController();
  readonly #running: Promise<unknown>;
  readonly #handedOut = new HandedOut();
  #waiting: LogRecord[] = [];
  #bytes = 0;
  #offered = 0;
  #acknowledged = 0;
  #refused = false;
  /** Called when there is something to write, and when something was acknowledged. */
  #onOffer: (() => void) | undefined;
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
    return this.#refused || this.#options.queue.blocked;
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
    const pending = () => this.#acknowledged < until || this.#options.queue.depth.records > 0;
    while (pending() && !signal.aborted && !this.#abort.signal.aborted) await this.#nextAcknowledged();
    signal.removeEventListener('abort', wake);
  }

  /** The records that `sender` has delivered. */
  delivered(records: readonly LogRecord[]): void {
    this.#handedOut.arrived(records);
    this.#forgetArrived();
  }

  async close(): Promise<void> {
    this.#abort.abort(new Error('delivery was closed'));
    this.#onOffer?.();
    this.#wakeWaiting();
    const { sender, queue, log } = this.#options;
    await sender.close();
    await queue.close();
    await this.#running;
    const { records, bytes } = queue.depth;
    if (records > 0)
      log.say('warn', 'disk_left', 'records are left in the disk buffer, which the next start delivers', {
        records,
        bytes,
      });
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

  async #writeAll(records: readonly LogRecord[]): Promise<void> {
    const { random } = this.#options;
    const { signal } = this.#abort;
    for (let at = 0, failures = 0; at < records.length;) {
      const parcels = pack(records, at);
      const written = await this.#writePiece(parcels);
      at += written;
      this.#refused = written < parcels.length;
      failures = written > 0 ? 1 : failures + 1;
      if (this.#refused) await sleep(backoff(failures, pauses, random()), undefined, { signal });
    }
  }

  /** @returns how many of the first ones need not be written again; the disk has refused the next one */
  async #writePiece(parcels: readonly Parcel[]): Promise<number> {
    const { queue, deadLetters } = this.#options;
    const outcomes = await Promise.all(
      parcels.map(async ({ bytes }) => (bytes === undefined ? 'unwritable' : queue.append(bytes))),
    );
    const refused = outcomes.findIndex((outcome) => outcome === 'failed' || outcome === 'closed');
    const settled = parcels.slice(0, refused < 0 ? parcels.length : refused);
    const letters = settled.flatMap(({ record, problem }, at) => {
      if (outcomes[at] === 'stored') return [];
      return { record, reason: problem || 'is larger than a quarter of max_bytes of the disk buffer' };
    });
    if (letters.length > 0) await deadLetters.put(letters, this.#abort.signal);
    this.#acknowledge(settled.map(({ record }) => record));
    return settled.length;
  }

  #acknowledge(records: readonly LogRecord[]): void {
    if (records.length === 0) return;
    this.#acknowledged += records.length;
    for (const record of records) this.#bytes -= recordSize(record);
    this.#options.acknowledged(records);
    this.#wakeWaiting();
  }

  async #send(): Promise<void> {
    const { log, random } = this.#options;
    const { signal } = this.#abort;
    for (let failures = 1; !signal.aborted;) {
      try {
        await this.#sendNext();
        failures = 1;
      } catch (error) {
        signal.throwIfAborted();
        log.say('error', 'disk_read', 'the disk buffer cannot be read', { reason: (error as Error).message });
        await sleep(backoff(failures++, pauses, random()), undefined, { signal });
      }
    }
  }

  /** @throws Node's error when the disk does not give it */
  async #sendNext(): Promise<void> {
    const { queue, sender, unreadable } = this.#options;
    const next = await queue.next();
    if (next === undefined) {
      // What is damaged at the end is forgotten by now.
      this.#wakeWaiting();
      return queue.arrival();
    }
    const record = readRecord(next.bytes);
    if (record === undefined) {
      unreadable();
      this.#handedOut.skip(next.sequence);
      return this.#forgetArrived();
    }
    this.#handedOut.add(record, next.sequence);
    if (!sender.offer(record)) await sender.room();
  }

  #forgetArrived(): void {
    this.#options.queue.acknowledge(this.#handedOut.settled);
    this.#wakeWaiting();
  }
}

/** The next records, about so many bytes of them that it is worth while. What cannot be written as JSON can neither be kept nor sent. */
function pack(records: readonly LogRecord[], from: number): Parcel[] {
  const parcels: Parcel[] = [];
  for (let size = 0, at = from; at < records.length && size < piece; at++) {
    const record = records[at]!;
    try {
      const bytes = writeRecord(record);
      size += bytes.length;
      parcels.push({ record, bytes, problem: '' });
    } catch (error) {
      parcels.push({ record, bytes: undefined, problem: `cannot be written: ${(error as Error).message}` });
    }
  }
  return parcels;
}
