import { writeAll, type QueueFile, type QueueFiles } from './queue-files.ts';
import { frameHead, writeFrame } from './record-frame.ts';
import { segmentPath, type Segment } from './segment.ts';

export interface SegmentWriterOptions {
  readonly files: QueueFiles;
  readonly folder: string;
  /** Milliseconds; 0 is before a write counts as done. */
  readonly syncInterval: number;
  /** All files of the queue; a new one is added. */
  readonly segments: Segment[];
  /** Number of the next record. */
  readonly next: number;
  /** Bytes after which another file begins. */
  readonly segmentBytes: number;
}

/**
 * Writes records to the last file of a queue, and begins another one when that is full or has failed. What an earlier process has
 * left is never written to.
 */
export class SegmentWriter {
  readonly #options: SegmentWriterOptions;
  #next: number;
  #open: { readonly segment: Segment; readonly file: QueueFile } | undefined;
  /** Gets no more records, although it is open. */
  #ended: Segment | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SegmentWriterOptions) {
    this.#options = options;
    this.#next = options.next;
  }

  /** Number of the next record. */
  get next(): number {
    return this.#next;
  }

  isWriting(segment: Segment): boolean {
    return this.#open?.segment === segment;
  }

  /**
   * Writes the records one after the other into one file, all or none of them.
   * @throws Node's error
   */
  async write(records: readonly Uint8Array[]): Promise<void> {
    const bytes = this.#frames(records);
    const { segment, file } = await this.#fileFor(bytes.length);
    try {
      await writeAll(file, bytes, segment.size);
      if (this.#options.syncInterval === 0) await file.datasync();
      else this.#syncLater();
    } catch (error) {
      // After a failed synchronisation nobody knows what is on the disk (the kernel forgets): nothing more goes into this file.
      await file.truncate(segment.size).catch(() => {});
      await this.leave(segment);
      throw error;
    }
    segment.size += bytes.length;
    segment.end += records.length;
    this.#next += records.length;
  }

  /** The next records go to another file. */
  end(segment: Segment): void {
    this.#ended = segment;
  }

  /** The file gets no more records. */
  async leave(segment: Segment): Promise<void> {
    if (this.#open?.segment !== segment) return;
    const { file } = this.#open;
    this.#open = undefined;
    await file.close().catch(() => {});
    if (segment.size > 0) return;
    const at = this.#options.segments.indexOf(segment);
    if (at >= 0) this.#options.segments.splice(at, 1);
    await this.#options.files.remove(segment.path).catch(() => {});
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#open === undefined) return;
    const { segment, file } = this.#open;
    try {
      await file.datasync();
    } finally {
      await this.leave(segment);
    }
  }

  #frames(records: readonly Uint8Array[]): Buffer {
    const bytes = Buffer.allocUnsafe(records.reduce((sum, record) => sum + frameHead + record.length, 0));
    let at = 0;
    for (const [index, record] of records.entries()) at = writeFrame(bytes, at, this.#next + index, record);
    return bytes;
  }

  async #fileFor(bytes: number): Promise<{ segment: Segment; file: QueueFile }> {
    const { files, folder, segments, segmentBytes } = this.#options;
    if (this.#open !== undefined) {
      const { segment, file } = this.#open;
      const hasRoom = segment.size === 0 || segment.size + bytes <= segmentBytes;
      if (hasRoom && segment !== this.#ended) return this.#open;
      try {
        await file.datasync();
      } finally {
        await this.leave(segment);
      }
    }
    const path = segmentPath(folder, this.#next);
    const file = await files.open(path, 'w');
    try {
      await files.syncFolder(folder);
      const { since } = await files.stat(path);
      const segment = { path, first: this.#next, since, end: this.#next, size: 0 };
      segments.push(segment);
      return (this.#open = { segment, file });
    } catch (error) {
      await file.close().catch(() => {});
      await files.remove(path).catch(() => {});
      throw error;
    }
  }

  #syncLater(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      // A failure here shows at the next write or at the end at the latest; the bytes are with the kernel meanwhile.
      this.#open?.file.datasync().catch(() => {});
    }, this.#options.syncInterval).unref();
  }
}
