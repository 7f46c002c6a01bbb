import { writeAll, type QueueFile, type QueueFiles } from './queue-files.ts';
import { frame } from './record-frame.ts';
import { newSegment, type Segment } from './segment.ts';

export interface SegmentWriterOptions {
  readonly files: QueueFiles;
  readonly folder: string;
  /** Milliseconds; 0 is before a write counts as done. */
  readonly syncInterval: number;
  /** All files of the queue; a new one is added. */
  readonly segments: Segment[];
  /** Number of the next record. */
  readonly next: number;
}

/** Writes records to the last file of a queue, and begins another one when that is full or has failed. */
export class SegmentWriter {
  readonly #options: SegmentWriterOptions;
  #next: number;
  #open: { readonly segment: Segment; readonly file: QueueFile } | undefined;
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
  async write(records: readonly Uint8Array[], segmentBytes: number): Promise<void> {
    const bytes = Buffer.concat(records.map((record, at) => frame(this.#next + at, record)));
    const { segment, file } = await this.#fileFor(bytes.length, segmentBytes);
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

  /** The file gets no more records. */
  async leave(segment: Segment): Promise<void> {
    if (this.#open?.segment !== segment) return;
    const { file } = this.#open;
    this.#open = undefined;
    if (segment.size === 0) {
      const at = this.#options.segments.indexOf(segment);
      if (at >= 0) this.#options.segments.splice(at, 1);
    }
    await file.close().catch(() => {});
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

  async #fileFor(bytes: number, segmentBytes: number): Promise<{ segment: Segment; file: QueueFile }> {
    const { files, folder, segments } = this.#options;
    if (this.#open !== undefined) {
      const { segment, file } = this.#open;
      if (segment.size === 0 || segment.size + bytes <= segmentBytes) return this.#open;
      await file.datasync();
      await this.leave(segment);
    }
    const segment = newSegment(folder, this.#next);
    const file = await files.open(segment.path, 'w');
    this.#open = { segment, file };
    segments.push(segment);
    await files.syncFolder(folder);
    return this.#open;
  }

  #syncLater(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      // A failure here shows at the next write or at the end at the latest; the bytes are with the kernel meanwhile.
      this.#open?.file.datasync().catch(() => {});
    }, this.#options.syncInterval).unref();
  }
}
