import { mkdir, open, readdir, rm, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { LogRecord } from '../../record.ts';
import type { DiskBufferConfig } from '../config.ts';
import { syncFolder } from '../rotating-file.ts';
import { decodeFrame } from './frame.ts';
import { readPosition, writePosition, type Position } from './position.ts';

const largestSegment = 16 * 1024 * 1024;
/** Bytes read and synced at a time. */
const piece = 1024 * 1024;

interface Segment {
  readonly number: number;
  readonly path: string;
  /** Bytes that are synced, or were there when the process began. */
  size: number;
  /** Unix time in milliseconds of the first record in it. */
  readonly since: number;
}

export interface DiskBufferEvents {
  /** Records thrown away to make room. */
  readonly onDrop: (records: number) => void;
  /** Records that could not be read back, at least so many. */
  readonly onCorrupt: (records: number) => void;
  /** Bytes at the end of a segment that are no whole record: a write that was cut off and never said to be done. */
  readonly onTorn: (bytes: number) => void;
  readonly now: () => number;
}

/** Why an append stopped early. */
export type AppendProblem = 'full' | Error;

/**
 * Records in files of a folder, in the order in which they came. What `append` says to be written survives the process and the
 * machine. A restart never writes to an old segment, so a torn end stays an end. Each method has the files to itself.
 */
export class DiskBuffer {
  readonly #config: DiskBufferConfig;
  readonly #events: DiskBufferEvents;
  readonly #segmentSize: number;
  /** Ascending; the last one may be the one that is written. */
  #segments: Segment[];
  #writing: { readonly segment: Segment; readonly file: FileHandle } | undefined;
  #next: number;
  #reading: Position;
  /** Handed out and not yet released, in their order. */
  readonly #out: { readonly record: LogRecord; readonly at: Position }[] = [];
  readonly #done = new Set<LogRecord>();
  #last: Promise<unknown> = Promise.resolve();

  private constructor(config: DiskBufferConfig, events: DiskBufferEvents, segments: Segment[], reading: Position) {
    this.#config = config;
    this.#events = events;
    this.#segmentSize = Math.min(largestSegment, Math.floor(config.max_bytes / 8));
    this.#segments = segments;
    this.#reading = reading;
    this.#next = Math.max(reading.segment, segments.at(-1)?.number ?? 0) + 1;
  }

  /** @throws Error when the folder cannot be made or read */
  static async open(config: DiskBufferConfig, events: DiskBufferEvents): Promise<DiskBuffer> {
    await mkdir(config.path, { recursive: true, mode: 0o750 });
    const position = await readPosition(join(config.path, 'position'));
    const segments: Segment[] = [];
    for (const name of (await readdir(config.path)).sort()) {
      const number = /^(\d{12})\.segment$/.exec(name)?.[1];
      if (number === undefined) continue;
      const path = join(config.path, name);
      if (Number(number) < position.segment) {
        await rm(path, { force: true });
        continue;
      }
      const { size, birthtimeMs } = await stat(path);
      segments.push({ number: Number(number), path, size, since: birthtimeMs });
    }
    return new DiskBuffer(config, events, segments, position);
  }

  get bytes(): number {
    return this.#segments.reduce((sum, { size }) => sum + size, 0);
  }

  get segments(): number {
    return this.#segments.length;
  }

  /** Unix time in milliseconds at which the oldest segment with records to deliver was begun; undefined when there are none. */
  get since(): number | undefined {
    if (this.#out.length === 0 && !this.#segments.some((segment) => this.#unread(segment) > 0)) return undefined;
    return this.#segments[0]?.since;
  }

  /** Writes frames as far as it can, and says how many are on the disk for good. Never throws. */
  append(frames: readonly Buffer[]): Promise<{ readonly written: number; readonly problem?: AppendProblem }> {
    return this.#alone(async () => {
      let written = 0;
      while (written < frames.length) {
        let end = written + 1;
        let size = frames[written]!.length;
        while (end < frames.length && size + frames[end]!.length <= Math.min(piece, this.#segmentSize)) {
          size += frames[end++]!.length;
        }
        try {
          if (!(await this.#makeRoom(size))) return { written, problem: 'full' };
          await this.#write(Buffer.concat(frames.slice(written, end), size));
        } catch (error) {
          if (await this.#dropForSpace(error)) continue;
          return { written, problem: error as Error };
        }
        written = end;
      }
      return { written };
    });
  }

  /** The next records, about 1 MiB of them; none when all have been handed out. @throws Error when a segment cannot be read */
  read(): Promise<readonly LogRecord[]> {
    return this.#alone(async () => {
      for (;;) {
        const segment = this.#segments.find((each) => this.#unread(each) > 0);
        if (segment === undefined) return [];
        try {
          const records = await this.#readFrom(segment, this.#offsetIn(segment));
          if (records.length > 0) return records;
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
          // Somebody removed it: there is nothing to wait for.
          this.#events.onTorn(this.#unread(segment));
          await this.#remove(segment);
        }
      }
    });
  }

  /** These are delivered: what is delivered as a whole goes from the disk. @throws Error when the position cannot be written */
  release(records: readonly LogRecord[]): Promise<void> {
    return this.#alone(async () => {
      for (const record of records) this.#done.add(record);
      let count = 0;
      while (count < this.#out.length && this.#done.delete(this.#out[count]!.record)) count++;
      this.#out.splice(0, count);
      await this.#forgetDelivered();
      await writePosition(join(this.#config.path, 'position'), this.#out[0]?.at ?? this.#reading);
    });
  }

  close(): Promise<void> {
    return this.#alone(() => this.#endSegment());
  }

  #unread(segment: Segment): number {
    return segment.number < this.#reading.segment ? 0 : segment.size - this.#offsetIn(segment);
  }

  #offsetIn({ number }: Segment): number {
    return number === this.#reading.segment ? this.#reading.offset : 0;
  }

  async #readFrom(segment: Segment, offset: number): Promise<LogRecord[]> {
    const records: LogRecord[] = [];
    const file = await open(segment.path, 'r');
    try {
      let want = piece;
      for (;;) {
        const length = Math.min(want, segment.size - offset);
        const bytes = await readAt(file, offset, length);
        let at = 0;
        let frame = decodeFrame(bytes, at);
        for (; frame.kind !== 'short'; frame = decodeFrame(bytes, at)) {
          if (frame.kind === 'corrupt') this.#events.onCorrupt(1);
          else {
            records.push(frame.record);
            this.#out.push({ record: frame.record, at: { segment: segment.number, offset: offset + at } });
          }
          at += frame.size;
        }
        const read = offset + at;
        const isCutOff = bytes.length < length || read + frame.size > segment.size;
        if (isCutOff && read < segment.size) this.#events.onTorn(segment.size - read);
        this.#reading = { segment: segment.number, offset: isCutOff ? segment.size : read };
        if (isCutOff || at > 0) return records;
        want = frame.size;
      }
    } finally {
      await file.close();
    }
  }

  async #makeRoom(size: number): Promise<boolean> {
    const { max_bytes: most, when_full: whenFull } = this.#config;
    while (this.bytes + size > most && this.#segments.length > 0) {
      // Only a segment that has ended can go.
      await this.#endSegment();
      await this.#forgetDelivered();
      if (this.bytes + size <= most || this.#segments.length === 0) break;
      if (whenFull === 'block') return false;
      await this.#dropOldest();
    }
    return true;
  }

  async #write(bytes: Buffer): Promise<void> {
    if (this.#writing !== undefined && this.#writing.segment.size + bytes.length > this.#segmentSize) {
      await this.#endSegment();
    }
    const { segment, file } = (this.#writing ??= await this.#begin());
    try {
      for (let at = 0; at < bytes.length;) {
        at += (await file.write(bytes, at, bytes.length - at, segment.size + at)).bytesWritten;
      }
      await file.datasync();
    } catch (error) {
      // After a failed sync nobody knows what is on the disk: never go on in this file.
      await file.truncate(segment.size).catch(() => {});
      await this.#endSegment();
      if (segment.size === 0) await this.#remove(segment);
      throw error;
    }
    segment.size += bytes.length;
  }

  async #begin(): Promise<{ segment: Segment; file: FileHandle }> {
    const number = this.#next++;
    const path = join(this.#config.path, `${String(number).padStart(12, '0')}.segment`);
    const file = await open(path, 'wx', 0o640);
    try {
      await syncFolder(this.#config.path);
    } catch (error) {
      await file.close();
      await rm(path, { force: true });
      throw error;
    }
    const segment = { number, path, size: 0, since: this.#events.now() };
    this.#segments.push(segment);
    return { segment, file };
  }

  async #endSegment(): Promise<void> {
    const writing = this.#writing;
    this.#writing = undefined;
    await writing?.file.close().catch(() => {});
  }

  async #forgetDelivered(): Promise<void> {
    const needed = this.#out[0]?.at.segment ?? Infinity;
    for (const segment of [...this.#segments]) {
      if (segment === this.#writing?.segment || segment.number >= needed || this.#unread(segment) > 0) break;
      await this.#remove(segment);
    }
  }

  /** A full disk is like a full buffer. True: there is room now. */
  async #dropForSpace(error: unknown): Promise<boolean> {
    const { code } = error as NodeJS.ErrnoException;
    if (this.#config.when_full !== 'drop_oldest' || (code !== 'ENOSPC' && code !== 'EDQUOT')) return false;
    await this.#endSegment();
    if (this.#segments.length === 0) return false;
    await this.#dropOldest();
    return true;
  }

  /** Records that have been handed out are delivered all the same; the others are lost. */
  async #dropOldest(): Promise<void> {
    const segment = this.#segments[0]!;
    let lost = 0;
    const handedOut = this.#out.length;
    while (this.#unread(segment) > 0) lost += (await this.#readFrom(segment, this.#offsetIn(segment))).length;
    this.#out.length = handedOut;
    this.#events.onDrop(lost);
    await this.#remove(segment);
  }

  async #remove(segment: Segment): Promise<void> {
    await rm(segment.path, { force: true });
    this.#segments = this.#segments.filter((other) => other !== segment);
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}
