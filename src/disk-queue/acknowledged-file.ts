import { crc32 } from 'node:zlib';
import { readFully, writeAll, type QueueFile, type QueueFiles } from './queue-files.ts';

const slot = 16;

/**
 * The number of the last acknowledged record, in two slots that are written in turn: when one is torn, the other holds.
 * It is not synchronised with the disk: after a power cut some records are read twice, none is lost.
 */
export class AcknowledgedFile {
  readonly #file: QueueFile;
  #turn = 0;
  #wanted: number;
  #written: number;
  #writing: Promise<void> | undefined;

  private constructor(file: QueueFile, value: number, turn: number) {
    this.#file = file;
    this.#wanted = value;
    this.#written = value;
    this.#turn = turn;
  }

  static async open(files: QueueFiles, path: string): Promise<AcknowledgedFile> {
    const file = await files.open(path, 'r+').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT')
        return files.open(path, 'w').then((made) => made.close().then(() => files.open(path, 'r+')));
      throw error;
    });
    const bytes = await readFully(file, 2 * slot, 0);
    const values = [0, 1].map((at) => readSlot(bytes.subarray(at * slot, (at + 1) * slot)));
    const [first = 0, second = 0] = values;
    return new AcknowledgedFile(file, Math.max(first, second), first > second ? 1 : 0);
  }

  /** What was there when the file was opened, or has been saved since. */
  get value(): number {
    return this.#wanted;
  }

  /** Aside; a failure is made good by the next one that succeeds. */
  save(sequence: number): void {
    this.#wanted = sequence;
    this.#writing ??= this.#write();
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#file.close();
  }

  async #write(): Promise<void> {
    await Promise.resolve();
    while (this.#written < this.#wanted) {
      const value = this.#wanted;
      const bytes = Buffer.alloc(slot);
      bytes.writeBigUInt64LE(BigInt(value), 0);
      bytes.writeUInt32LE(crc32(bytes.subarray(0, 8)), 8);
      try {
        await writeAll(this.#file, bytes, this.#turn * slot);
      } catch {
        break;
      }
      this.#turn = 1 - this.#turn;
      this.#written = value;
    }
    this.#writing = undefined;
  }
}

/** @returns 0 when the slot was never written, or not wholly */
function readSlot(bytes: Buffer): number {
  if (bytes.length < slot || bytes.readUInt32LE(8) !== crc32(bytes.subarray(0, 8))) return 0;
  return Number(bytes.readBigUInt64LE(0));
}
