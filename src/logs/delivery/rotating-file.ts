import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface RotatingFileOptions {
  readonly path: string;
  /** Bytes beyond which the file becomes PATH.1; 0 is never. */
  readonly maxBytes: number;
  readonly keep: number;
  /** Told of the oldest file just before it is removed. */
  readonly onLose?: (path: string) => Promise<void>;
}

/** A file of lines that is only ever appended to. What `append` has returned from is on the disk; what it threw for is not there. */
export class RotatingFile {
  readonly #options: RotatingFileOptions;
  #file: FileHandle | undefined;
  #size = 0;

  constructor(options: RotatingFileOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#size;
  }

  /** @throws Error when the bytes cannot all be written and synced */
  async append(bytes: Uint8Array): Promise<void> {
    const { maxBytes } = this.#options;
    this.#file ??= await this.#open();
    if (maxBytes > 0 && this.#size > 0 && this.#size + bytes.byteLength > maxBytes) {
      await this.#rotate();
      this.#file = await this.#open();
    }
    try {
      await this.#write(this.#file, bytes);
    } catch (error) {
      // Nobody knows what is there now: begin anew, from the last good end.
      await this.#file.truncate(this.#size).catch(() => {});
      await this.close();
      throw error;
    }
    this.#size += bytes.byteLength;
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close().catch(() => {});
  }

  async #write(file: FileHandle, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.byteLength;) at += (await file.write(bytes, at)).bytesWritten;
    await file.datasync();
  }

  async #open(): Promise<FileHandle> {
    const { path } = this.#options;
    const file = await open(path, 'a+', 0o640);
    try {
      const { size } = await file.stat();
      this.#size = size;
      if (size > 0) await this.#endLine(file);
      else await syncFolder(dirname(path));
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** A process that was killed may have left half a line; what follows must not be joined to it. */
  async #endLine(file: FileHandle): Promise<void> {
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, this.#size - 1);
    if (buffer[0] === 0x0a) return;
    await file.write('\n');
    this.#size++;
  }

  async #rotate(): Promise<void> {
    const { path, keep, onLose } = this.#options;
    await this.close();
    const oldest = `${path}.${keep}`;
    await onLose?.(oldest);
    await rm(oldest, { force: true });
    for (let at = keep - 1; at >= 0; at--) {
      await rename(at === 0 ? path : `${path}.${at}`, `${path}.${at + 1}`).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
      });
    }
    await syncFolder(dirname(path));
  }
}

/** Makes names of new, renamed and removed files last. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
