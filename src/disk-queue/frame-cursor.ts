import { readFully, type QueueFile } from './queue-files.ts';
import { readFrame, type Frame } from './record-frame.ts';

/** Bytes that are read at a time, unless a record is larger. */
const piece = 1024 * 1024;

/** Goes through the frames of a file, which may grow meanwhile. */
export class FrameCursor {
  readonly #file: QueueFile;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  /** Where the bytes are in the file. */
  #start = 0;

  constructor(file: QueueFile) {
    this.#file = file;
  }

  /** Where the next frame begins. */
  get offset(): number {
    return this.#start + this.#at;
  }

  /** The next frame if it has been read already, else `short`. After `short` and `lost` it stays where it is. */
  take(): Frame {
    const frame = readFrame(this.#bytes, this.#at);
    if (frame.kind === 'record' || frame.kind === 'corrupt') this.#at += frame.size;
    return frame;
  }

  /**
   * The next frame; `short` when the file or its first `until` bytes end within it.
   * @throws Node's error
   */
  async next(until: number): Promise<Frame> {
    for (;;) {
      const frame = this.take();
      if (frame.kind !== 'short') return frame;
      const offset = this.offset;
      if (until - offset < frame.size) return frame;
      const bytes = await readFully(this.#file, Math.min(Math.max(piece, frame.size), until - offset), offset);
      if (bytes.length < frame.size) return frame;
      this.#bytes = bytes;
      this.#start = offset;
      this.#at = 0;
    }
  }
}
