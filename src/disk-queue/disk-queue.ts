import { join } from 'node:path';
import { AcknowledgedFile } from './acknowledged-file.ts';
import type { DiskQueueConfig } from './config.ts';
import { systemFiles, type QueueFiles } from './queue-files.ts';
import type { AppendOutcome, QueueObserver } from './queue-observer.ts';
import { frameHead } from './record-frame.ts';
import { SegmentReader } from './segment-reader.ts';
import { SegmentWriter } from './segment-writer.ts';
import { findSegments, type Segment } from './segment.ts';

export interface QueuedRecord {
  /** Grows by one from record to record, also over restarts. */
  readonly sequence: number;
  readonly bytes: Buffer;
}

/** Milliseconds after which a full disk is tried again when the writer is to wait. */
const diskFullPause = 500;

/**
 * Records on the disk, read in the order in which they were appended. A record is read again after a restart unless it was
 * acknowledged: delivery is at least once. The bytes on the disk are bounded; those of appends that wait are the caller's,
 * who bounds them by waiting. One process at a time, which nothing here can check on a volume that is shared by containers.
 */
export class DiskQueue {
  readonly #segments: Segment[];
  readonly #acknowledged: AcknowledgedFile;
  readonly #writer: SegmentWriter;
  readonly #reader: SegmentReader;
  readonly #config: DiskQueueConfig;
  readonly #files: QueueFiles;
  readonly #observer: QueueObserver;
  readonly #waiting: { readonly bytes: Uint8Array; readonly tell: (outcome: AppendOutcome) => void }[] = [];
  readonly #removing = new Set<Promise<void>>();
  #working: Promise<void> | undefined;
  #closed = false;
  /** Called when there is something to read, or room to write, or the end. */
  #arrived: (() => void)[] = [];
  #released: () => void = () => {};

  private constructor(
    config: DiskQueueConfig,
    files: QueueFiles,
    observer: QueueObserver,
    acknowledged: AcknowledgedFile,
    segments: Segment[],
  ) {
    this.#config = config;
    this.#files = files;
    this.#observer = observer;
    this.#acknowledged = acknowledged;
    this.#segments = segments;
    // After a power cut more may be acknowledged than is there: numbers must not be given a second time.
    const next = Math.max(segments.at(-1)?.end ?? 1, acknowledged.value + 1);
    this.#writer = new SegmentWriter({
      files,
      folder: config.path,
      syncInterval: config.sync_interval,
      segments,
      next,
    });
    this.#reader = new SegmentReader({ files, segments, largestRecord: largestRecord(config) });
    this.#reader.seek(acknowledged.value + 1);
    this.#forgetAcknowledged();
  }

  /** @throws Node's error when the folder cannot be made or read */
  static async open(
    config: DiskQueueConfig,
    observer: QueueObserver,
    files: QueueFiles = systemFiles,
  ): Promise<DiskQueue> {
    await files.makeFolder(config.path);
    const { segments, tornBytes } = await findSegments(files, config.path, largestRecord(config));
    if (tornBytes > 0) observer.torn(tornBytes);
    const acknowledged = await AcknowledgedFile.open(files, join(config.path, 'acknowledged'));
    return new DiskQueue(config, files, observer, acknowledged, segments);
  }

  /** What waits to be acknowledged, and what it takes on the disk. */
  get depth(): { readonly records: number; readonly bytes: number } {
    const first = this.#segments[0]?.first ?? this.#writer.next;
    return {
      records: this.#writer.next - Math.max(first, this.#acknowledged.value + 1),
      bytes: this.#bytes,
    };
  }

  /**
   * Resolves when the record is stored: on the disk when `sync_interval` is 0, else with the kernel. Appends that wait at the same
   * time are stored together. Never rejects. With `when_full: block` it resolves when there is room.
   */
  append(bytes: Uint8Array): Promise<AppendOutcome> {
    if (this.#closed) return Promise.resolve('closed');
    if (bytes.length > largestRecord(this.#config)) return Promise.resolve('too_large');
    return new Promise((tell) => {
      this.#waiting.push({ bytes, tell });
      this.#working ??= this.#store();
    });
  }

  /**
   * The next record that was not read yet since the queue was opened or {@link rewind} was called; undefined when there is none.
   * Calls must not overlap.
   */
  async next(): Promise<QueuedRecord | undefined> {
    if (this.#closed) return undefined;
    return this.#reader.next((records) => {
      // A file that is closed while it is read is not damaged.
      if (!this.#closed) this.#observer.damaged(records);
    });
  }

  /** Resolves when there may be something to read, or when the queue is closed. */
  arrival(): Promise<void> {
    if (this.#closed || this.#reader.hasMore) return Promise.resolve();
    return new Promise((resolve) => this.#arrived.push(resolve));
  }

  /** Everything up to this record was delivered and need not be kept. */
  acknowledge(sequence: number): void {
    if (this.#closed) return;
    const last = Math.min(sequence, this.#writer.next - 1);
    if (last <= this.#acknowledged.value) return;
    this.#acknowledged.save(last);
    this.#forgetAcknowledged();
    this.#released();
  }

  /** Reads again from the first record that is not acknowledged. */
  rewind(): void {
    this.#reader.seek(this.#acknowledged.value + 1);
  }

  /** Appends that wait are told `closed`; what is stored stays for the next time. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#released();
    this.#wakeReaders();
    await this.#working;
    await this.#writer.close().catch((error: NodeJS.ErrnoException) => this.#observer.failed(error));
    await this.#reader.close();
    await Promise.all(this.#removing);
    await this.#acknowledged.close();
  }

  get #bytes(): number {
    return this.#segments.reduce((sum, { size }) => sum + size, 0);
  }

  async #store(): Promise<void> {
    // Lets appends of the same moment join, and the caller note that somebody works.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      if (this.#closed) {
        for (const { tell } of this.#waiting.splice(0)) tell('closed');
        break;
      }
      if (!(await this.#makeRoom(frameHead + this.#waiting[0]!.bytes.length))) continue;
      const batch = this.#waiting.slice(0, this.#fitting());
      try {
        await this.#writer.write(
          batch.map(({ bytes }) => bytes),
          segmentBytes(this.#config),
        );
      } catch (error) {
        if (await this.#mayTryAgain(error as NodeJS.ErrnoException)) continue;
        this.#waiting.splice(0, batch.length).forEach(({ tell }) => tell('failed'));
        continue;
      }
      this.#waiting.splice(0, batch.length).forEach(({ tell }) => tell('stored'));
      this.#wakeReaders();
    }
    // At once: an append that comes between the last look and a later `finally` would wait for ever.
    this.#working = undefined;
  }

  /** How many of those that wait can be written at once: at least one, and no more than a segment has room for. */
  #fitting(): number {
    let room = Math.min(this.#config.max_bytes - this.#bytes, segmentBytes(this.#config));
    let count = 0;
    for (const { bytes } of this.#waiting) {
      room -= frameHead + bytes.length;
      if (room < 0 && count > 0) break;
      count++;
    }
    return count;
  }

  /** @returns whether there is room; if not, there may be now */
  async #makeRoom(bytes: number): Promise<boolean> {
    if (this.#bytes + bytes <= this.#config.max_bytes) return true;
    const oldest = this.#segments[0]!;
    if (oldest.end <= this.#acknowledged.value + 1 || this.#config.when_full === 'drop_oldest')
      await this.#drop(oldest);
    else await this.#release();
    return false;
  }

  async #mayTryAgain(error: NodeJS.ErrnoException): Promise<boolean> {
    this.#observer.failed(error);
    if (error.code !== 'ENOSPC' && error.code !== 'EDQUOT') return false;
    if (this.#config.when_full === 'block') {
      await this.#release(diskFullPause);
      return true;
    }
    const oldest = this.#segments[0];
    if (oldest === undefined) return false;
    await this.#drop(oldest);
    return true;
  }

  async #drop(segment: Segment): Promise<void> {
    const records = segment.end - Math.max(segment.first, this.#acknowledged.value + 1);
    if (records > 0) this.#observer.dropped(records);
    this.#segments.splice(this.#segments.indexOf(segment), 1);
    await this.#writer.leave(segment);
    await this.#reader.leave(segment);
    await this.#files.remove(segment.path).catch((error: NodeJS.ErrnoException) => this.#observer.failed(error));
  }

  /** Files in which everything is acknowledged go, but for the one that is being written. */
  #forgetAcknowledged(): void {
    while (this.#segments.length > 0) {
      const oldest = this.#segments[0]!;
      if (oldest.end > this.#acknowledged.value + 1 || this.#writer.isWriting(oldest)) return;
      this.#segments.shift();
      const removal = this.#reader
        .leave(oldest)
        .then(() => this.#files.remove(oldest.path))
        .catch((error: NodeJS.ErrnoException) => this.#observer.failed(error))
        .finally(() => this.#removing.delete(removal));
      this.#removing.add(removal);
    }
  }

  /** Resolves when something was acknowledged, the queue was closed, or so many milliseconds are over. */
  #release(milliseconds?: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = milliseconds === undefined ? undefined : setTimeout(resolve, milliseconds);
      this.#released = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.#closed) this.#released();
    });
  }

  #wakeReaders(): void {
    for (const resolve of this.#arrived.splice(0)) resolve();
  }
}

/** Bytes after which another file begins: what is dropped at once, and what is kept though it is acknowledged. */
function segmentBytes({ max_bytes }: DiskQueueConfig): number {
  return Math.min(Math.floor(max_bytes / 16), 16 * 1024 * 1024);
}

function largestRecord({ max_bytes }: DiskQueueConfig): number {
  return Math.floor(max_bytes / 4) - frameHead;
}
