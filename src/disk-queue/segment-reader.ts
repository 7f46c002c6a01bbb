import { FrameCursor } from './frame-cursor.ts';
import type { QueueFile, QueueFiles } from './queue-files.ts';
import type { Frame } from './record-frame.ts';
import type { Segment } from './segment.ts';

export interface SegmentReaderOptions {
  readonly files: QueueFiles;
  /** All files of the queue; others add to it and take away from it. */
  readonly segments: readonly Segment[];
  /** Told the number of records that cannot be read. */
  readonly damaged: (records: number) => void;
  /** Told of a file that somebody else has removed. */
  readonly gone: (segment: Segment) => void;
}

interface Place {
  readonly segment: Segment;
  readonly file: QueueFile;
  readonly cursor: FrameCursor;
  /** How often {@link SegmentReader.seek} had been called: after another call the place is not that of the wanted record. */
  readonly seeks: number;
}

/** Reads the records of a queue in their order. A file that is taken away is skipped, and so is a record that is damaged. */
export class SegmentReader {
  readonly #options: SegmentReaderOptions;
  /** Number of the last record that was handed out. */
  #given = 0;
  #wanted = 1;
  #seeks = 0;
  #place: Place | undefined;
  /** A file is not closed while it is read: its descriptor may be that of another file by then. */
  #busy: Promise<unknown> = Promise.resolve();

  constructor(options: SegmentReaderOptions) {
    this.#options = options;
  }

  get hasMore(): boolean {
    return this.#options.segments.some(({ end }) => end > this.#wanted);
  }

  /** Number of the first record that was neither handed out nor skipped. */
  get wanted(): number {
    return this.#wanted;
  }

  /** When all that was handed out is acknowledged, so is what was skipped behind it. */
  settled(acknowledged: number): number {
    return acknowledged < this.#given ? acknowledged : Math.max(acknowledged, this.#wanted - 1);
  }

  seek(sequence: number): void {
    this.#given = sequence - 1;
    this.#wanted = sequence;
    this.#seeks++;
  }

  /** @throws Node's error when a file that is there cannot be read; the next call tries it again */
  async next(): Promise<{ sequence: number; bytes: Buffer } | undefined> {
    const { segments, damaged } = this.#options;
    for (;;) {
      const segment = segments.find(({ end }) => end > this.#wanted);
      if (segment === undefined) return undefined;
      const wanted = (this.#wanted = Math.max(this.#wanted, segment.first));
      const seeks = this.#seeks;
      const frame = this.#take(segment) ?? (await this.#read(segment));
      if (this.#seeks !== seeks || !segments.includes(segment) || frame.kind === 'corrupt') continue;
      if (frame.kind !== 'record' || frame.sequence >= segment.end) {
        damaged(segment.end - wanted);
        this.#wanted = segment.end;
        continue;
      }
      const { sequence, bytes } = frame;
      if (sequence < wanted) continue;
      if (sequence > wanted) damaged(sequence - wanted);
      this.#given = sequence;
      this.#wanted = sequence + 1;
      return { sequence, bytes };
    }
  }

  /** The file is about to be removed: as long as somebody has it open, its bytes stay on the disk. */
  leave(segment: Segment): Promise<void> {
    return this.#alone(() => (this.#place?.segment === segment ? this.#closePlace() : Promise.resolve()));
  }

  close(): Promise<void> {
    return this.#alone(() => this.#closePlace());
  }

  /** What was read already, without the detour of a promise. */
  #take(segment: Segment): Frame | undefined {
    if (this.#place?.segment !== segment || this.#place.seeks !== this.#seeks) return undefined;
    const frame = this.#place.cursor.take();
    return frame.kind === 'short' ? undefined : frame;
  }

  #read(segment: Segment): Promise<Frame> {
    return this.#alone(async () => {
      try {
        const { cursor } = await this.#placeIn(segment);
        return await cursor.next(segment.size);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
        this.#options.gone(segment);
        return { kind: 'lost' };
      }
    });
  }

  async #placeIn(segment: Segment): Promise<Place> {
    const seeks = this.#seeks;
    if (this.#place?.segment === segment && this.#place.seeks === seeks) return this.#place;
    await this.#closePlace();
    const file = await this.#options.files.open(segment.path, 'r');
    return (this.#place = { segment, file, cursor: new FrameCursor(file), seeks });
  }

  async #closePlace(): Promise<void> {
    const place = this.#place;
    this.#place = undefined;
    await place?.file.close().catch(() => {});
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#busy.then(work);
    this.#busy = result.catch(() => {});
    return result;
  }
}
