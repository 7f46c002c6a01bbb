import { open, stat, type FileHandle } from 'node:fs/promises';

export interface LineFollowerOptions {
  readonly path: string;
  /** Milliseconds from look to look. */
  readonly interval: number;
  readonly maxLineBytes: number;
  line(text: string): void;
  /** A line that was too long. */
  tooLong(): void;
  /** The file cannot be read (ENOENT and the like), or can again (undefined). Told at each change. */
  state(problem: string | undefined): void;
}

const chunkBytes = 64 * 1024;
/** Bytes read at one look, so that nothing else waits when much was written. */
const mostAtOnce = 8 * 1024 * 1024;
const newline = 0x0a;

interface Followed {
  readonly handle: FileHandle;
  readonly inode: bigint;
  readonly device: bigint;
  offset: number;
  /** Begins of a line whose end is not there yet. */
  readonly begun: Buffer[];
  begunBytes: number;
  /** The rest of a line is not wanted: it began before we did, or is too long. */
  skipping: boolean;
}

/**
 * Reads the lines that are appended to a file. A file that was renamed is read to its end, with one look more for a writer that
 * still has it open, before the one that took its name is read from its beginning. A file that has become shorter is read from its
 * beginning. What was in the first file when following began is skipped. Nothing is remembered over restarts.
 */
export class LineFollower {
  readonly #options: LineFollowerOptions;
  #file: Followed | undefined;
  /** At the last look another file, or none, had the name. */
  #replaced = false;
  #first = true;
  #problem: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void>;
  #closed = false;

  constructor(options: LineFollowerOptions) {
    this.#options = options;
    this.#looking = this.#run();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#looking;
    await this.#file?.handle.close().catch(() => {});
    this.#file = undefined;
  }

  async #run(): Promise<void> {
    try {
      await this.#look();
      this.#tell(undefined);
    } catch (error) {
      this.#tell((error as NodeJS.ErrnoException).code ?? String(error));
    }
    this.#first = false;
    if (this.#closed) return;
    this.#timer = setTimeout(() => (this.#looking = this.#run()), this.#options.interval).unref();
  }

  async #look(): Promise<void> {
    if (this.#file !== undefined) {
      const more = await this.#read(this.#file);
      if (more) return;
      const named = await stat(this.#options.path, { bigint: true }).catch(() => undefined);
      const same = named?.ino === this.#file.inode && named.dev === this.#file.device;
      if (same) {
        this.#replaced = false;
        return;
      }
      if (!this.#replaced) {
        this.#replaced = true;
        return;
      }
      await this.#read(this.#file);
      await this.#leave(this.#file);
    }
    this.#file = await this.#open();
    await this.#read(this.#file);
  }

  async #open(): Promise<Followed> {
    const handle = await open(this.#options.path, 'r');
    const { ino: inode, dev: device, size } = await handle.stat({ bigint: true });
    const offset = this.#first ? Number(size) : 0;
    // A line of which we have not seen the beginning is not a line for us.
    const skipping = offset > 0 && (await lastByte(handle, offset)) !== newline;
    return { handle, inode, device, offset, begun: [], begunBytes: 0, skipping };
  }

  /** The last line of a file that gets no more may have no end. */
  async #leave(file: Followed): Promise<void> {
    this.#replaced = false;
    this.#file = undefined;
    if (!file.skipping && file.begunBytes > 0) this.#options.line(Buffer.concat(file.begun).toString());
    await file.handle.close();
  }

  /** @returns whether there was more than may be read at once */
  async #read(file: Followed): Promise<boolean> {
    const { size } = await file.handle.stat();
    if (size < file.offset) {
      file.offset = 0;
      file.begun.length = 0;
      file.begunBytes = 0;
      file.skipping = false;
    }
    const chunk = Buffer.allocUnsafe(chunkBytes);
    for (let total = 0; total < mostAtOnce && !this.#closed;) {
      const { bytesRead } = await file.handle.read(chunk, 0, chunkBytes, file.offset);
      if (bytesRead === 0) return false;
      file.offset += bytesRead;
      total += bytesRead;
      this.#split(file, chunk.subarray(0, bytesRead));
    }
    return !this.#closed;
  }

  #split(file: Followed, bytes: Buffer): void {
    for (let start = 0; start < bytes.length;) {
      const end = bytes.indexOf(newline, start);
      const piece = bytes.subarray(start, end < 0 ? bytes.length : end);
      if (!file.skipping && file.begunBytes + piece.length > this.#options.maxLineBytes) {
        this.#options.tooLong();
        file.skipping = true;
      }
      if (file.skipping) {
        file.begun.length = 0;
        file.begunBytes = 0;
      }
      if (end < 0) {
        // A copy: the chunk is read into again.
        if (!file.skipping) file.begun.push(Buffer.from(piece));
        file.begunBytes += file.skipping ? 0 : piece.length;
        return;
      }
      if (!file.skipping) {
        const line = file.begunBytes === 0 ? piece : Buffer.concat([...file.begun, piece]);
        this.#options.line(line.toString('utf8', 0, line.at(-1) === 0x0d ? line.length - 1 : line.length));
      }
      file.skipping = false;
      file.begun.length = 0;
      file.begunBytes = 0;
      start = end + 1;
    }
  }

  #tell(problem: string | undefined): void {
    if (problem === this.#problem && !this.#first) return;
    this.#problem = problem;
    this.#options.state(problem);
  }
}

async function lastByte(handle: FileHandle, size: number): Promise<number | undefined> {
  const { bytesRead, buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
  return bytesRead === 1 ? buffer[0] : undefined;
}
