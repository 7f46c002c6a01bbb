import type { Clock } from '../../filter/define-filter.ts';
import type { ProcessLog } from '../../process-log.ts';
import type { Ledger } from '../ledger.ts';
import type { Line } from '../lines/index.ts';
import type { Position } from '../checkpoint.ts';
import type { RawRecord } from '../record.ts';
import { Acknowledgements } from './acknowledgements.ts';
import type { FollowConfig, InputConfig } from './config.ts';
import { Descriptor } from './descriptor.ts';
import { FileContent } from './file-content.ts';
import { FileLines } from './file-lines.ts';
import { FileSource } from './file-source.ts';
import type { FollowStats } from './follow-stats.ts';
import { GzipDescriptor } from './gzip-descriptor.ts';
import { beginsAsBefore, nodeKey, type FileNode } from './identity.ts';
import { endingOf, type FileState } from './look.ts';
import type { OpenFiles } from './open-files.ts';
import { ReadTrouble } from './read-trouble.ts';
import { isGone, Whereabouts } from './whereabouts.ts';

export interface FollowParts {
  readonly log: ProcessLog;
  readonly clock: Clock;
  readonly open: OpenFiles;
}

export interface FollowedFileOptions {
  readonly input: InputConfig;
  readonly follow: FollowConfig;
  readonly stats: FollowStats;
  readonly path: string;
  readonly node: FileNode;
  readonly size: number;
  /** First bytes of the file. */
  readonly head: Buffer;
  /** What was known of it. */
  readonly position?: Position | undefined;
  /** Where it is read from when nothing was known of it. */
  readonly offset?: number;
  /** It is compressed: what is in it is read, which nobody will add to. */
  readonly compressed?: boolean;
  /** How many other files the inode has been, as far as is known. */
  readonly generation?: number;
}

/** What a read has brought. */
export type ReadOutcome =
  /** Bytes; there may be more. */
  | 'data'
  /** Nothing more for now. */
  | 'end'
  /** It cannot be read now. */
  | 'failed';

/** A file that is followed through renames and truncations, read piece by piece. It is looked at and read at the same time. */
export class FollowedFile {
  readonly stats: FollowStats;
  readonly #parts: FollowParts;
  readonly #descriptor: Descriptor | GzipDescriptor;
  readonly #compressed: boolean;
  readonly #where: Whereabouts;
  readonly #lines: FileLines;
  readonly #acknowledgements: Acknowledgements;
  #input: InputConfig;
  readonly #content: FileContent;
  /** A size that it had while it began as it does: what is seen later may be that of other content in its place. */
  #sizeForSure: number;
  /** It is being read. */
  #busy = false;
  readonly #trouble: ReadTrouble;

  constructor(options: FollowedFileOptions, parts: FollowParts) {
    const { input, position, path, node, size, follow } = options;
    const { clock } = parts;
    const offset = position?.offset ?? options.offset ?? 0;
    this.stats = options.stats;
    this.#parts = parts;
    this.#input = input;
    this.#compressed = options.compressed === true;
    this.#descriptor = this.#compressed ? new GzipDescriptor((error) => this.#damaged(error)) : new Descriptor();
    this.#trouble = new ReadTrouble(options.stats, parts.log);
    this.#sizeForSure = size;
    this.#lines = new FileLines(input, offset, clock.monotonic());
    const waits = () => this.#lines.loaded > this.#lines.resume;
    const place = { path, node, size, poll: follow.poll_interval };
    this.#where = new Whereabouts(place, { clock, opened: this.#descriptor, waits });
    // Nobody writes to it, and its end is the end.
    if (this.#compressed) this.#where.state = 'rotated';
    const source = position === undefined ? undefined : new FileSource(position.key, input.name, path);
    this.#content = new FileContent(options.head, position?.generation ?? options.generation ?? 0, source);
    this.#acknowledgements = new Acknowledgements(offset, source?.key);
  }

  get path(): string {
    return this.#where.path;
  }

  get input(): InputConfig {
    return this.#input;
  }

  get node(): FileNode {
    return this.#where.node;
  }

  get key(): string {
    return nodeKey(this.#where.node);
  }

  get state(): FileState {
    return this.#where.state;
  }

  get size(): number {
    return this.#where.size;
  }

  get ledger(): Ledger {
    return this.#acknowledgements.ledger;
  }

  /** Milliseconds, never jumping, when it wants to be looked at. */
  get nextLook(): number {
    return this.#where.nextLook;
  }

  /** It may have more to give: bytes, or lines that have waited long enough. */
  get ready(): boolean {
    if (this.state === 'read' || this.state === 'closed') return false;
    return !this.#where.caughtUp;
  }

  /** Bytes that are not acknowledged, with those of former contents. */
  get lag(): number {
    return this.#acknowledgements.lag(this.size);
  }

  /** Nothing of it is under way. */
  get settled(): boolean {
    return this.#acknowledgements.settled;
  }

  /** Where the next bytes are read from. */
  get offset(): number {
    return this.#lines.loaded;
  }

  /** Where reading has to go on if all that was given out is acknowledged. */
  get resume(): number {
    return this.#lines.resume;
  }

  get isOpen(): boolean {
    return this.#descriptor.isOpen;
  }

  /** Descriptors of files that are at no path must stay open: nobody could open them again. */
  get mayClose(): boolean {
    return this.state === 'live' && !this.#busy;
  }

  /** The kernel says that something has changed. */
  hint(): void {
    this.#where.hint();
  }

  /** It was found under a path again. */
  movedTo(path: string): void {
    if (this.state === 'closed') return;
    this.#nameBy(path);
    this.#where.state = 'live';
    this.#where.lookSoon();
  }

  /** It is no longer at its path, was not open, and is at this one now, which no input asks for: its rest is read. */
  restAt(path: string): void {
    this.#nameBy(path);
    this.#where.caughtUp = false;
  }

  #nameBy(path: string): void {
    this.#where.path = path;
    if (this.#content.source !== undefined) this.#content.source.path = path;
  }

  /**
   * Sees whether it has grown, shrunk or moved. Never rejects.
   * @returns false when it is no longer at its path, for the first time
   */
  async look(): Promise<boolean> {
    const before = this.state;
    await this.#where.look().catch((error: unknown) => this.#failed(error));
    return !(before === 'live' && this.state !== 'live');
  }

  /** Opens it now, so that it can be read even when it is gone by then. Never rejects. */
  async open(): Promise<boolean> {
    if (this.#descriptor.isOpen) {
      this.#parts.open.used(this);
      return true;
    }
    if (this.state !== 'live' && this.state !== 'rotated') return false;
    try {
      if (!(await this.#descriptor.open(this.path, (node) => this.#where.isOurs(node)))) {
        await this.#where.left();
        return false;
      }
      this.#trouble.worksAgain(this.path);
      await this.#parts.open.opened(this);
      return true;
    } catch (error) {
      if (isGone(error)) await this.#where.left().catch((failed: unknown) => this.#failed(failed));
      else this.#failed(error);
      return false;
    }
  }

  /** Lets go of its descriptor; it is opened again when it is needed. */
  letGo(): Promise<void> {
    return this.#descriptor.close();
  }

  /** Reads the next bytes; what they make is asked for with `next`. Never rejects. */
  async read(buffer: Buffer): Promise<ReadOutcome> {
    this.#busy = true;
    const outcome = await this.#read(buffer);
    this.#busy = false;
    return outcome;
  }

  async #read(buffer: Buffer): Promise<ReadOutcome> {
    if (!(await this.open())) {
      this.#where.caughtUp = true;
      return 'failed';
    }
    const at = this.#lines.loaded;
    const { size } = this;
    try {
      const { bytesRead, head, found } = await this.#descriptor.readPiece(buffer, at, this.#content.head.length > 0);
      const piece = buffer.subarray(0, bytesRead);
      if (!beginsAsBefore(this.#content.head, head, at, piece)) return this.#replaced('it begins with other bytes');
      this.#sizeForSure = Math.max(size, at + bytesRead);
      if (found !== undefined) return this.#nothingAt(at, Number(found.size), found.mtimeNs);
      this.#content.grew(head);
      this.#where.size = Math.max(this.size, at + bytesRead);
      this.stats.bytes.add(bytesRead);
      const { holeBytes } = this.#lines.load(piece, this.#parts.clock.monotonic());
      if (holeBytes > 0) this.stats.holeBytes.add(holeBytes);
      this.#trouble.worksAgain(this.path);
      return 'data';
    } catch (error) {
      this.#failed(error);
      this.#where.caughtUp = true;
      return 'failed';
    }
  }

  /** There were no bytes at an offset, in a file that has this size by now. */
  #nothingAt(at: number, size: number, changed: bigint): ReadOutcome {
    if (size < at) return this.#replaced('it is shorter than what was read of it');
    this.#where.size = size;
    this.#where.changed = changed;
    // Something came between reading and asking.
    if (size > at) return 'data';
    this.#where.caughtUp = true;
    const still = this.#parts.clock.monotonic() - Math.max(this.#where.lastGrowth, this.#lines.lastData);
    this.#lines.endWith(endingOf(this.state, still, this.#input.rotate_wait));
    return 'end';
  }

  #replaced(how: string): ReadOutcome {
    this.stats.truncations.add();
    const lost = this.#lose(this.#sizeForSure, 'a file was truncated before all of it was read');
    if (!lost) this.#parts.log.info('a file was truncated; it is read from its beginning', { path: this.path, how });
    this.#lines.endWith('replaced');
    return 'data';
  }

  /** Nothing will be added any more: gives out what waits for its end. For the last look before the process stops. */
  finishLines(): void {
    this.#lines.finish();
  }

  /** The next record of what was read; undefined when there is none, and more has to be read. */
  next(): RawRecord | undefined {
    const line = this.#lines.next(this.#parts.clock.monotonic());
    if (line !== undefined) return this.#record(line);
    this.ledger.skip(this.resume);
    const ending = this.#lines.takeEnding();
    if (ending === 'replaced') this.#beginAnew();
    else if (ending === 'read' && this.state !== 'live') this.#where.state = 'read';
    return undefined;
  }

  /** The file is another one from here on, in the same place. */
  #beginAnew(): void {
    this.#acknowledgements.beginAnew(this.#lines.loaded);
    this.#content.beginAnew();
    this.#where.size = 0;
    this.#sizeForSure = 0;
    this.#goOnFrom(0);
  }

  #record(line: Line): RawRecord {
    this.stats.records.add();
    if (line.cut > 0) {
      this.stats.cutRecords.add();
      this.stats.cutBytes.add(line.cut);
    }
    const { start, end, text, escaped, cut, cri } = line;
    return { source: this.source(), start, end, text, escaped, cut, readAt: this.#parts.clock.now(), cri };
  }

  source(): FileSource {
    const source = this.#content.name(this.node, this.#input.name, this.path);
    this.#acknowledgements.key = source.key;
    return source;
  }

  /** Something may be acknowledged under this key. */
  owns(key: string): boolean {
    return this.#acknowledgements.owns(key);
  }

  /** The store has a record for good. */
  acknowledge(key: string, end: number): void {
    this.#acknowledgements.acknowledge(key, end);
  }

  /** Takes back what is under way: it is read again from the last offset before which all is acknowledged. */
  rewind(): void {
    this.ledger.takeBack();
    this.#goOnFrom(this.ledger.acknowledged);
    if (this.state === 'read') this.#where.state = 'rotated';
  }

  /** Goes on with other options. What has not been given out is read again. */
  configure(input: InputConfig, follow: FollowConfig): void {
    this.#input = input;
    this.#where.poll = follow.poll_interval;
    if (this.#lines.configure(input)) this.#goOnFrom(this.resume);
    this.#where.lookSoon();
  }

  #goOnFrom(offset: number): void {
    this.#lines.goOnFrom(offset);
    this.#where.caughtUp = false;
  }

  /** For the checkpoint; undefined while nothing of it is acknowledged and nobody could tell it from others. */
  position(now: number): Position | undefined {
    const offset = this.ledger.acknowledged;
    if (this.#content.source === undefined && offset === 0) return undefined;
    const { device, inode, born } = this.node;
    return {
      key: this.source().key,
      device,
      inode,
      ...(born === undefined ? {} : { born }),
      generation: this.#content.generation,
      fingerprint: this.#content.fingerprint,
      path: this.path,
      input: this.#input.name,
      offset,
      size: this.size,
      seen: now,
      ...(this.state === 'deleted' ? { deleted: true } : {}),
      ...(this.#compressed ? { compressed: true } : {}),
    };
  }

  /** It could not be read to its known end. */
  lost(why: string): void {
    this.#lose(this.size, why);
    this.#lines.endWith('read');
    this.#where.state = 'read';
  }

  /** Tells of what was not read of a file that had that size. @returns whether there was anything */
  #lose(size: number, why: string): boolean {
    const bytes = size - this.#lines.loaded;
    if (bytes <= 0) return false;
    this.stats.lostBytes.add(bytes);
    this.stats.lostFiles.add();
    this.#parts.log.error(why, { path: this.path, lost_bytes: bytes });
    return true;
  }

  #damaged({ message }: Error): void {
    this.stats.lostFiles.add();
    this.#parts.log.error('a compressed file is damaged; what comes after the damage is lost', {
      path: this.path,
      offset: this.#lines.loaded,
      error: message,
    });
  }

  async close(): Promise<void> {
    this.#where.state = 'closed';
    this.#parts.open.closed(this);
    await this.letGo();
  }

  #failed(error: unknown): void {
    this.#trouble.failed(this.path, error);
  }
}
