import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { headLength, nodeOf, type FileNode } from './identity.ts';
import type { Opened, Seen } from './whereabouts.ts';

export interface ReadPiece {
  readonly bytesRead: number;
  /** First bytes of the file, read after the piece: if they are as they were, it has not been truncated before. */
  readonly head: Buffer;
  /** Asked for after a piece without bytes. */
  readonly found: Seen | undefined;
}

const empty = Buffer.alloc(0);

/** The descriptor of a file that is read piece by piece. It may be closed and opened again. */
export class Descriptor implements Opened {
  #handle: FileHandle | undefined;

  get isOpen(): boolean {
    return this.#handle !== undefined;
  }

  /**
   * @param isWanted whether what is at the path is what shall be opened
   * @returns false when it is not, and nothing was opened
   * @throws the error of the file system
   */
  async open(path: string, isWanted: (node: FileNode) => boolean): Promise<boolean> {
    // A pipe that has taken the place of the file must not make anybody wait.
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      if (!isWanted(nodeOf(await handle.stat({ bigint: true })))) {
        await handle.close();
        return false;
      }
    } catch (error) {
      await handle.close().catch(() => {});
      throw error;
    }
    if (this.#handle !== undefined) await handle.close();
    else this.#handle = handle;
    return true;
  }

  async stat(): Promise<Seen | undefined> {
    return this.#handle?.stat({ bigint: true });
  }

  /**
   * Reads what follows an offset. It must be open.
   * @param begun whether anything is known of the beginning: of a file that was empty and is, no head is read
   * @throws the error of the file system
   */
  async readPiece(buffer: Buffer, at: number, begun: boolean): Promise<ReadPiece> {
    const handle = this.#handle!;
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
    const head = begun || at > 0 || bytesRead > 0 ? await readHead(handle) : empty;
    return { bytesRead, head, found: bytesRead === 0 ? await handle.stat({ bigint: true }) : undefined };
  }

  /** Never rejects. */
  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close().catch(() => {});
  }
}

/** The first bytes of a file, as many as tell it from others. @throws the error of the file system */
export async function readHead(handle: FileHandle): Promise<Buffer> {
  const head = Buffer.allocUnsafe(headLength);
  const { bytesRead } = await handle.read(head, 0, headLength, 0);
  return head.subarray(0, bytesRead);
}
