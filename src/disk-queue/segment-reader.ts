import { readFully, type QueueFile, type QueueFiles } from './queue-files.ts';
import { frameHead, isWhole, readHead } from './record-frame.ts';
import type { Segment } from './segment.ts';

export interface SegmentReaderOptions {
  readonly files: QueueFiles;
  /** All files of the queue; others add to it and take away from it. */
  readonly segments: readonly Segment[];
  readonly largestRecord: number;
}

interface Place {
  readonly segment: Segment;
  offset: number;
}

/** Reads the records of a queue in their order. A file that is taken away is skipped; one that is damaged is left at that place. */
export class SegmentReader {
  readonly #options: SegmentReaderOptions;
  #wanted = 1;
  #place: Place | undefined;
  #open: { readonly segment: Segment; readonly file: QueueFile } | undefined;

  constructor(options: SegmentReaderOptions) {
    this.#options = options;
  }

  get hasMore(): boolean {
    return this.#options.segments.some(({ end }) => end > this.#wanted);
  }

  seek(sequence: number): void {
    this.#wanted = sequence;
    this.#place = undefined;
  }

  /** @param damaged is told the number of records that cannot be read */
  async next(damaged: (records: number) => void): Promise<{ sequence: number; bytes: Buffer } | undefined> {
    for (;;) {
      const place = this.#findPlace();
      if (place === undefined) return undefined;
      const framed = await this.#read(place);
      // Meanwhile somebody has called `seek`.
      if (this.#place !== place) continue;
      const sequence = framed === undefined ? -1 : readHead(framed).sequence;
      if (framed === undefined || sequence >= place.segment.end) {
        if (this.#options.segments.includes(place.segment)) damaged(place.segment.end - this.#wanted);
        this.seek(Math.max(this.#wanted, place.segment.end));
        continue;
      }
      place.offset += framed.length;
      if (sequence < this.#wanted) continue;
      this.#wanted = sequence + 1;
      return { sequence, bytes: framed.subarray(frameHead) };
    }
  }

  /** The file is about to be removed: as long as somebody has it open, its bytes stay on the disk. */
  async leave(segment: Segment): Promise<void> {
    if (this.#open?.segment === segment) await this.close();
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.file.close().catch(() => {});
  }

  #findPlace(): Place | undefined {
    const { segments } = this.#options;
    const here = this.#place;
    if (here !== undefined && here.segment.end > this.#wanted && segments.includes(here.segment)) return here;
    const segment = segments.find(({ end }) => end > this.#wanted);
    if (segment === undefined) return undefined;
    this.#wanted = Math.max(this.#wanted, segment.first);
    this.#place = here?.segment === segment ? here : { segment, offset: 0 };
    return this.#place;
  }

  /** A record with its head, or undefined when there is none that is whole. */
  async #read({ segment, offset }: Place): Promise<Buffer | undefined> {
    try {
      const file = await this.#fileOf(segment);
      const head = await readFully(file, frameHead, offset);
      if (head.length < frameHead) return undefined;
      const { length } = readHead(head);
      if (length > this.#options.largestRecord) return undefined;
      const framed = await readFully(file, frameHead + length, offset);
      return isWhole(framed) ? framed : undefined;
    } catch {
      return undefined;
    }
  }

  async #fileOf(segment: Segment): Promise<QueueFile> {
    if (this.#open?.segment === segment) return this.#open.file;
    await this.close();
    const file = await this.#options.files.open(segment.path, 'r');
    this.#open = { segment, file };
    return file;
  }
}
