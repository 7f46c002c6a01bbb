import { constants, type BigIntStats } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import type { ReadPiece } from './descriptor.ts';
import { headLength, nodeOf, type FileNode } from './identity.ts';
import type { Opened, Seen } from './whereabouts.ts';

/** A compressed file, read as if it were not. Offsets are those of the text; to go back is to begin anew. */
export class GzipDescriptor implements Opened {
  readonly #damaged: (error: Error) => void;
  #handle: FileHandle | undefined;
  #found: BigIntStats | undefined;
  #pieces: AsyncIterator<Buffer> | undefined;
  /** What was decompressed and not given out; it begins at the offset. */
  #rest: Buffer = Buffer.alloc(0);
  #offset = 0;
  #head: Buffer = Buffer.alloc(0);

  /** @param damaged told that it cannot be decompressed to its end: what follows is taken for not there */
  constructor(damaged: (error: Error) => void) {
    this.#damaged = damaged;
  }

  get isOpen(): boolean {
    return this.#handle !== undefined;
  }

  /** See {@link Descriptor.open}. */
  async open(path: string, isWanted: (node: FileNode) => boolean): Promise<boolean> {
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      this.#found = await handle.stat({ bigint: true });
    } catch (error) {
      await handle.close().catch(() => {});
      throw error;
    }
    if (!isWanted(nodeOf(this.#found)) || this.#handle !== undefined) {
      await handle.close();
      return this.#handle !== undefined;
    }
    this.#handle = handle;
    return true;
  }

  async stat(): Promise<Seen | undefined> {
    return this.#handle === undefined ? undefined : this.#seen(this.#offset);
  }

  /** @throws the error of the file system */
  async readPiece(buffer: Buffer, at: number): Promise<ReadPiece> {
    if (this.#pieces === undefined || at < this.#offset) await this.#begin();
    while (this.#offset < at && (await this.#more())) this.#take(Math.min(this.#rest.length, at - this.#offset));
    // Shorter than it must be: there is nothing at that offset, and nothing before it is given out again.
    if (this.#offset < at || !(await this.#more())) return { bytesRead: 0, head: this.#head, found: this.#seen(at) };
    const piece = this.#take(Math.min(this.#rest.length, buffer.length));
    return { bytesRead: piece.copy(buffer), head: this.#head, found: undefined };
  }

  /** Never rejects. */
  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await this.#pieces?.return?.().catch(() => {});
    this.#pieces = undefined;
    await handle?.close().catch(() => {});
  }

  #seen(size: number): Seen {
    return { size: BigInt(size), mtimeNs: this.#found?.mtimeNs ?? 0n, nlink: 1n };
  }

  async #begin(): Promise<void> {
    await this.#pieces?.return?.().catch(() => {});
    this.#rest = Buffer.alloc(0);
    this.#offset = 0;
    const compressed = this.#handle!.createReadStream({ start: 0, autoClose: false });
    const text = createGunzip();
    compressed.on('error', (error) => text.destroy(error));
    this.#pieces = (compressed.pipe(text) as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
    while (this.#rest.length < headLength && (await this.#append()));
    this.#head = Buffer.from(this.#rest.subarray(0, headLength));
  }

  /** Whether there is anything to give out. */
  async #more(): Promise<boolean> {
    return this.#rest.length > 0 || this.#append();
  }

  async #append(): Promise<boolean> {
    try {
      const next = await this.#pieces!.next();
      if (next.done === true) return false;
      this.#rest = this.#rest.length === 0 ? next.value : Buffer.concat([this.#rest, next.value]);
      return true;
    } catch (error) {
      if (!(error as NodeJS.ErrnoException).code?.startsWith('Z_')) throw error;
      this.#damaged(error as Error);
      return false;
    }
  }

  #take(length: number): Buffer {
    const piece = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    this.#offset += length;
    return piece;
  }
}

/**
 * The first bytes of what is in a compressed file; fewer when it is shorter or damaged.
 * @throws the error of the file system
 */
export async function readCompressedHead(path: string): Promise<Buffer> {
  const descriptor = new GzipDescriptor(() => {});
  try {
    await descriptor.open(path, () => true);
    return (await descriptor.readPiece(Buffer.alloc(headLength), 0)).head;
  } finally {
    await descriptor.close();
  }
}
