import { join } from 'node:path';
import { AcknowledgedFile } from './acknowledged-file.ts';
import type { DiskQueueConfig } from './config.ts';
import { FileRemoval } from './file-removal.ts';
import { findSegments } from './find-segments.ts';
import { limitsOf, type QueueLimits } from './limits.ts';
import { systemFiles, type QueueFiles } from './queue-files.ts';
import type { AppendOutcome, QueueObserver } from './queue-observer.ts';
import type { QueueDepth, QueuedRecord } from './queued-record.ts';
import { SegmentReader } from './segment-reader.ts';
import { SegmentWriter } from './segment-writer.ts';
import type { Segment } from './segment.ts';
import { WaitingAppends } from './waiting-appends.ts';

/** Milliseconds after which a full disk is tried again when the writer is to wait. */
const diskFullPause = 500;

const acknowledgedName = 'acknowledged';

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
  readonly #limits: QueueLimits;
  readonly #observer: QueueObserver;
  readonly #waiting = new WaitingAppends();
  readonly #removal: FileRemoval;
  #working: Promise<void> | undefined;
  #blocked = false;
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
    this.#removal = new FileRemoval(files, observer);
    this.#observer = observer;
    this.#acknowledged = acknowledged;
    this.#segments = segments;
    this.#limits = limitsOf(config);
    const { segmentBytes } = this.#limits;
    // After a power cut more may be acknowledged than is there: numbers must not be given a second time.
    const next = Math.max(segments.at(-1)?.end ?? 1, acknowledged.value + 1);
    const { path: folder, sync_interval: syncInterval } = config;
    this.#writer = new SegmentWriter({ files, folder, syncInterval, segments, next, segmentBytes });
    this.#reader = new SegmentReader({
      files,
      segments,
      damaged: (records) => observer.damaged(records),
      gone: (segment) => this.#writer.end(segment),
    });
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
    const found = await findSegments(files, config.path, [acknowledgedName]);
    if (found.tornBytes > 0) observer.torn(found.tornBytes);
    if (found.foreign.length > 0) observer.foreign(found.foreign);
    const acknowledged = await AcknowledgedFile.open(files, join(config.path, acknowledgedName));
    return new DiskQueue(config, files, observer, acknowledged, found.segments);
  }

  /** What waits to be acknowledged, and what it takes on the disk. */
  get depth(): QueueDepth {
    const first = this.#segments[0]?.first ?? this.#writer.next;
    const after = this.#acknowledged.value + 1;
    return {
      records: this.#writer.next - Math.max(first, after),
      bytes: this.#bytes,
      files: this.#segments.length,
      since: this.#segments.find(({ end }) => end > after)?.since,
    };
  }

  /** Those who append wait for room, in the queue or on the disk. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /**
   * Resolves when the record is stored: on the disk when `sync_interval` is 0, else with the kernel. Appends that wait at the same
   * time are stored together, in their order; when the disk refuses one of them it refuses all that wait, so that those who try again
   * keep the order. Never rejects. With `when_full: block` it resolves when there is room.
   */
  append(bytes: Uint8Array): Promise<AppendOutcome> {
    if (this.#closed) return Promise.resolve('closed');
    if (bytes.length > this.#limits.largestRecord) return Promise.resolve('too_large');
    const outcome = this.#waiting.add(bytes);
    this.#working ??= this.#store();
    return outcome;
  }

  /**
   * The next record that was not read yet since the queue was opened or {@link rewind} was called; undefined when there is none.
   * Calls must not overlap.
   * @throws Node's error when the disk does not give it; another call tries again
   */
  async next(): Promise<QueuedRecord | undefined> {
    if (this.#closed) return undefined;
    try {
      const record = await this.#reader.next();
      // What is damaged at the end is nobody's to acknowledge.
      if (record === undefined) this.acknowledge(this.#acknowledged.value);
      return record;
    } catch (error) {
      if (this.#closed) return undefined;
      throw error;
    }
  }

  /** Resolves when there may be something to read, or when the queue is closed. */
  arrival(): Promise<void> {
    if (this.#closed || this.#reader.hasMore) return Promise.resolve();
    return new Promise((resolve) => this.#arrived.push(resolve));
  }

  /** Everything up to this record was delivered and need not be kept. */
  acknowledge(sequence: number): void {
    if (this.#closed) return;
    const reached = this.#reader.settled(Math.max(sequence, this.#acknowledged.value));
    const last = Math.min(reached, this.#writer.next - 1);
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
    await this.#removal.end();
    await this.#acknowledged.close();
  }

  get #bytes(): number {
    return this.#segments.reduce((sum, { size }) => sum + size, 0);
  }

  async #store(): Promise<void> {
    // Lets appends of the same moment join, and the caller note that somebody works.
    await Promise.resolve();
    while (this.#waiting.count > 0) {
      if (this.#closed) {
        this.#waiting.tell(this.#waiting.count, 'closed');
        break;
      }
      if (!(await this.#makeRoom(this.#waiting.firstSize))) continue;
      const batch = this.#waiting.fitting(Math.min(this.#config.max_bytes - this.#bytes, this.#limits.writeBytes));
      try {
        await this.#writer.write(batch);
      } catch (error) {
        if (!(await this.#mayTryAgain(error as NodeJS.ErrnoException)))
          this.#waiting.tell(this.#waiting.count, 'failed');
        continue;
      }
      this.#blocked = false;
      this.#waiting.tell(batch.length, 'stored');
      this.#wakeReaders();
    }
    this.#blocked = false;
    // At once: an append that comes between the last look and a later `finally` would wait for ever.
    this.#working = undefined;
  }

  /** @returns whether there is room; if not, there may be now */
  async #makeRoom(bytes: number): Promise<boolean> {
    if (this.#bytes + bytes <= this.#config.max_bytes) return true;
    const oldest = this.#segments[0]!;
    if (oldest.end <= this.#acknowledged.value + 1 || this.#config.when_full === 'drop_oldest') {
      await this.#drop(oldest);
    } else {
      if (!this.#blocked) this.#observer.full();
      await this.#release();
    }
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

  /** What has been read is delivered all the same, by whoever has it. */
  async #drop(segment: Segment): Promise<void> {
    const records = segment.end - Math.max(segment.first, this.#reader.wanted, this.#acknowledged.value + 1);
    if (records > 0) this.#observer.dropped(records);
    this.#segments.splice(this.#segments.indexOf(segment), 1);
    await this.#writer.leave(segment);
    await this.#removal.remove(segment.path, this.#reader.leave(segment));
  }

  /** Files in which everything is acknowledged go, but for the one that is being written. */
  #forgetAcknowledged(): void {
    while (this.#segments.length > 0) {
      const oldest = this.#segments[0]!;
      if (oldest.end > this.#acknowledged.value + 1 || this.#writer.isWriting(oldest)) return;
      this.#segments.shift();
      void this.#removal.remove(oldest.path, this.#reader.leave(oldest));
    }
  }

  /** Resolves when something was acknowledged, the queue was closed, or so many milliseconds are over. */
  #release(milliseconds?: number): Promise<void> {
    this.#blocked = true;
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
