import { constants } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import type { Clock } from '../../filter/define-filter.ts';
import type { ProcessLog } from '../../process-log.ts';
import { createFraming, LineSplitter, type Framing, type Line } from '../lines/index.ts';
import { Ledger } from '../ledger.ts';
import type { Position } from '../checkpoint.ts';
import type { RawRecord } from '../record.ts';
import type { FollowConfig, InputConfig } from './config.ts';
import { FileSource } from './file-source.ts';
import type { FollowStats } from './follow-stats.ts';
import {
  bears,
  fingerprintOf,
  headLength,
  nodeKey,
  nodeOf,
  sourceKey,
  type FileNode,
  type Fingerprint,
} from './identity.ts';
import type { OpenFiles } from './open-files.ts';

/** Milliseconds from one look to the next, however often the kernel tells of changes: what was written by then is read together. */
const hintGap = 50;

/** Milliseconds: two changes that are nearer to each other may leave a file with the same time, and with the same size. */
const coarseness = 100;

/** Milliseconds: files that stand still are looked at this often. */
const longestInterval = 2000;

/**
 * live: at its path. rotated: at no path that we know, while somebody may still write. deleted: at none at all.
 * read: nothing more will be read; what is under way is not acknowledged yet. closed: over.
 */
export type FileState = 'live' | 'rotated' | 'deleted' | 'read' | 'closed';

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
  #input: InputConfig;
  #follow: FollowConfig;
  #node: FileNode;
  #path: string;
  #state: FileState = 'live';
  #handle: FileHandle | undefined;
  #size: number;
  /** A size that it had while it began as it does: what is seen later may be that of other content in its place. */
  #sizeForSure: number;
  /** Time of the last change, as the file system says it. */
  #changed = -1n;
  /** When it was last looked at, its last change was long enough ago for its time to be believed. */
  #settled = false;
  #head: Buffer;
  #generation: number;
  #source: FileSource | undefined;
  #ledger: Ledger;
  /** Of what was in the file before it was truncated, until all of it is acknowledged. */
  #former: { readonly key: string; readonly ledger: Ledger; readonly end: number }[] = [];
  #splitter: LineSplitter;
  #framing: Framing | undefined;
  /** Why what waits for its end comes out although its end has not come. */
  #ending: 'no' | 'due' | 'replaced' | 'read' = 'no';
  #atEnd = false;
  /** It is being read. */
  #busy = false;
  /** Times that never jump, in milliseconds. */
  #lastData: number;
  #lastLook: number;
  #lastGrowth: number;
  #nextLook = 0;
  #failing: string | undefined;
  #holeBytes = 0;

  constructor(options: FollowedFileOptions, parts: FollowParts) {
    const { input, position } = options;
    this.#parts = parts;
    this.#input = input;
    this.#follow = options.follow;
    this.stats = options.stats;
    this.#node = options.node;
    this.#path = options.path;
    this.#size = options.size;
    this.#sizeForSure = options.size;
    this.#head = options.head;
    this.#generation = position?.generation ?? options.generation ?? 0;
    const offset = position?.offset ?? options.offset ?? 0;
    this.#ledger = new Ledger(offset);
    this.#splitter = new LineSplitter({ maxLineBytes: input.max_line_bytes, offset });
    this.#framing = createFraming(framingOptions(input));
    if (position !== undefined) this.#source = new FileSource(position.key, input.name, options.path);
    const now = parts.clock.monotonic();
    this.#lastData = now;
    this.#lastLook = now;
    this.#lastGrowth = now;
  }

  get path(): string {
    return this.#path;
  }

  get input(): InputConfig {
    return this.#input;
  }

  get node(): FileNode {
    return this.#node;
  }

  get key(): string {
    return nodeKey(this.#node);
  }

  get state(): FileState {
    return this.#state;
  }

  get size(): number {
    return this.#size;
  }

  get generation(): number {
    return this.#generation;
  }

  get ledger(): Ledger {
    return this.#ledger;
  }

  /** Milliseconds, never jumping, when it wants to be looked at. */
  get nextLook(): number {
    return this.#nextLook;
  }

  /** It may have more to give: bytes, or lines that have waited long enough. */
  get ready(): boolean {
    if (this.#state === 'read' || this.#state === 'closed') return false;
    return !this.#atEnd;
  }

  /** Bytes that are not acknowledged, with those of former contents. */
  get lag(): number {
    const former = this.#former.reduce(
      (sum, { ledger, end }) => sum + (ledger.underWay > 0 ? end - ledger.acknowledged : 0),
      0,
    );
    return Math.max(0, this.#size - this.#ledger.acknowledged) + former;
  }

  /** Nothing of it is under way. */
  get settled(): boolean {
    if (this.#former.length > 0) this.#former = this.#former.filter(({ ledger }) => ledger.underWay > 0);
    return this.#ledger.underWay === 0 && this.#former.length === 0;
  }

  /** Where the next bytes are read from. */
  get offset(): number {
    return this.#splitter.loaded;
  }

  /** Where reading has to go on if all that was given out is acknowledged. */
  get resume(): number {
    const waiting = this.#framing?.pendingStart ?? Infinity;
    return Math.min(this.#splitter.position, waiting);
  }

  /** Descriptors of files that are at no path must stay open: nobody could open them again. */
  get mayClose(): boolean {
    return this.#state === 'live' && !this.#busy;
  }

  /** The kernel says that something has changed. */
  hint(): void {
    this.#nextLook = Math.min(this.#nextLook, this.#lastLook + Math.min(hintGap, this.#follow.poll_interval));
  }

  /** It was found under a path again. */
  movedTo(path: string): void {
    if (this.#state === 'closed') return;
    this.#path = path;
    if (this.#source !== undefined) this.#source.path = path;
    this.#state = 'live';
    this.#nextLook = 0;
  }

  /** It is no longer at its path, was not open, and is at this one now, which no input asks for: its rest is read. */
  restAt(path: string): void {
    this.#path = path;
    if (this.#source !== undefined) this.#source.path = path;
    this.#atEnd = false;
  }

  /**
   * Sees whether it has grown, shrunk or moved. Never rejects.
   * @returns false when it is no longer at its path, for the first time
   */
  async look(): Promise<boolean> {
    const now = this.#parts.clock.monotonic();
    const before = this.#state;
    this.#lastLook = now;
    if (before === 'live') await this.#lookAtPath();
    else if (before === 'rotated' || before === 'deleted') await this.#lookAtHandle();
    this.#plan();
    return !(before === 'live' && this.#state !== 'live');
  }

  /** When it is looked at next: the longer it stands still, the later. */
  #plan(): void {
    const { poll_interval: poll } = this.#follow;
    const still = this.#lastLook - this.#lastGrowth;
    const interval =
      this.#state === 'live' ? Math.min(Math.max(poll, still / 10), Math.max(poll, longestInterval)) : poll;
    this.#nextLook = this.#lastLook + interval;
  }

  async #lookAtPath(): Promise<void> {
    try {
      const found = await stat(this.#path, { bigint: true });
      if (this.#state !== 'live') return;
      if (this.#isOurs(nodeOf(found))) return this.#saw(Number(found.size), found.mtimeNs);
      await this.#moved();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') await this.#moved();
      else this.#failed(error);
    }
  }

  #isOurs(node: FileNode): boolean {
    if (nodeKey(node) !== this.key) return false;
    this.#node = this.#node.born === undefined ? node : this.#node;
    return this.#handle !== undefined || node.born === undefined || node.born === this.#node.born;
  }

  async #moved(): Promise<void> {
    this.#state = 'rotated';
    this.#lastGrowth = this.#lastLook;
    this.#atEnd = false;
    await this.#lookAtHandle();
  }

  async #lookAtHandle(): Promise<void> {
    const handle = this.#handle;
    if (handle === undefined) return;
    try {
      const found = await handle.stat({ bigint: true });
      if (found.nlink === 0n && this.#state === 'rotated') this.#state = 'deleted';
      this.#saw(Number(found.size), found.mtimeNs);
    } catch (error) {
      this.#failed(error);
    }
  }

  #saw(size: number, changed: bigint): void {
    const waits = this.#splitter.loaded > this.resume;
    if (size !== this.#size || changed !== this.#changed) this.#lastGrowth = this.#lastLook;
    else if (this.#atEnd && !waits && this.#state === 'live' && this.#settled) return;
    this.#settled = this.#parts.clock.now() - Number(changed / 1_000_000n) > coarseness;
    // Smaller than it was: reading finds out why, and how much was lost.
    this.#size = Math.max(size, this.#size);
    this.#changed = changed;
    this.#atEnd = false;
  }

  /** Opens it now, so that it can be read even when it is gone by then. Never rejects. */
  async open(): Promise<boolean> {
    if (this.#handle !== undefined) {
      this.#parts.open.used(this);
      return true;
    }
    if (this.#state !== 'live' && this.#state !== 'rotated') return false;
    let handle: FileHandle | undefined;
    try {
      // A pipe that has taken the place of the file must not make anybody wait.
      handle = await open(this.#path, constants.O_RDONLY | constants.O_NONBLOCK);
      const found = await handle.stat({ bigint: true });
      if (!this.#isOurs(nodeOf(found))) {
        await handle.close();
        await this.#moved();
        return false;
      }
      if (this.#handle !== undefined) await handle.close();
      else this.#handle = handle;
      this.#worksAgain();
      await this.#parts.open.opened(this);
      return true;
    } catch (error) {
      await handle?.close().catch(() => {});
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') await this.#moved();
      else this.#failed(error);
      return false;
    }
  }

  /** Lets go of its descriptor; it is opened again when it is needed. */
  async letGo(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close().catch(() => {});
  }

  get isOpen(): boolean {
    return this.#handle !== undefined;
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
      this.#atEnd = true;
      return 'failed';
    }
    const at = this.#splitter.loaded;
    const size = this.#size;
    try {
      const handle = this.#handle!;
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
      // After the bytes: if the file begins as it did, it has not been truncated before they were read.
      const head = await this.#readHead(handle, at, buffer, bytesRead);
      if (head === undefined) return this.#replaced('it begins with other bytes');
      this.#sizeForSure = Math.max(size, at + bytesRead);
      if (bytesRead === 0) {
        const { size, mtimeNs } = await handle.stat({ bigint: true });
        if (Number(size) < at) return this.#replaced('it is shorter than what was read of it');
        this.#size = Number(size);
        this.#changed = mtimeNs;
        // Something came between reading and asking.
        return Number(size) > at ? 'data' : this.#end();
      }
      this.#head = head;
      this.#size = Math.max(this.#size, at + bytesRead);
      this.#lastData = this.#parts.clock.monotonic();
      this.stats.bytes.add(bytesRead);
      this.#splitter.load(buffer.subarray(0, bytesRead));
      const hole = this.#splitter.holeBytes;
      if (hole > this.#holeBytes) this.stats.holeBytes.add(hole - this.#holeBytes);
      this.#holeBytes = hole;
      this.#worksAgain();
      return 'data';
    } catch (error) {
      this.#failed(error);
      this.#atEnd = true;
      return 'failed';
    }
  }

  /** The first bytes, which may be more by now; undefined when they are others. */
  async #readHead(handle: FileHandle, at: number, read: Buffer, length: number): Promise<Buffer | undefined> {
    const known = this.#head;
    if (known.length === 0 && at === 0 && length === 0) return known;
    const head = Buffer.allocUnsafe(headLength);
    const { bytesRead } = await handle.read(head, 0, headLength, 0);
    const now = head.subarray(0, bytesRead);
    if (now.length < known.length || known.compare(now, 0, known.length) !== 0) return undefined;
    // The very first bytes have nothing before them to compare, but themselves.
    if (at === 0 && now.compare(read, 0, Math.min(now.length, length), 0, Math.min(now.length, length)) !== 0)
      return undefined;
    return known.length === now.length ? known : now;
  }

  #end(): ReadOutcome {
    this.#atEnd = true;
    const now = this.#parts.clock.monotonic();
    if (this.#state === 'live') this.#ending = 'due';
    else if (now - Math.max(this.#lastGrowth, this.#lastData) >= this.#input.rotate_wait) this.#ending = 'read';
    else this.#ending = 'due';
    return 'end';
  }

  #replaced(how: string): ReadOutcome {
    const lost = Math.max(0, this.#sizeForSure - this.#splitter.loaded);
    this.stats.truncations.add();
    if (lost > 0) {
      this.stats.lostBytes.add(lost);
      this.stats.lostFiles.add();
      this.#parts.log.error('a file was truncated before all of it was read', { path: this.#path, lost_bytes: lost });
    } else this.#parts.log.info('a file was truncated; it is read from its beginning', { path: this.#path, how });
    this.#ending = 'replaced';
    return 'data';
  }

  /** Nothing will be added any more: gives out what waits for its end. For the last look before the process stops. */
  finishLines(): void {
    if (this.#ending === 'no' || this.#ending === 'due') this.#ending = 'read';
  }

  /** The next record of what was read; undefined when there is none, and more has to be read. */
  next(): RawRecord | undefined {
    const now = this.#parts.clock.monotonic();
    for (;;) {
      const line = this.#splitter.next();
      if (line !== undefined) {
        const framed = this.#framing === undefined ? line : this.#framing.push(line, now);
        if (framed === undefined) continue;
        return this.#record(framed);
      }
      const waited = this.#ending === 'no' ? undefined : this.#takeWaiting(now);
      if (waited !== undefined) return this.#record(waited);
      this.#afterLast();
      return undefined;
    }
  }

  /** What comes out although its end has not come. */
  #takeWaiting(now: number): Line | undefined {
    const everything = this.#ending !== 'due';
    if (everything || now - this.#lastData >= this.#input.partial_line_timeout) {
      const partial = this.#splitter.takePartial();
      if (partial !== undefined) {
        const framed = this.#framing === undefined ? partial : this.#framing.push(partial, now);
        if (framed !== undefined) return framed;
      }
    }
    return this.#framing?.take(everything ? Infinity : now);
  }

  #afterLast(): void {
    this.#ledger.skip(this.resume);
    const ending = this.#ending;
    this.#ending = 'no';
    if (ending === 'replaced') this.#beginAnew();
    else if (ending === 'read' && this.#state !== 'live') this.#state = 'read';
  }

  /** The file is another one from here on, in the same place. */
  #beginAnew(): void {
    if (this.#source !== undefined && this.#ledger.underWay > 0) {
      this.#former.push({ key: this.#source.key, ledger: this.#ledger, end: this.#splitter.loaded });
    }
    this.#generation++;
    this.#source = undefined;
    this.#head = Buffer.alloc(0);
    this.#size = 0;
    this.#sizeForSure = 0;
    this.#holeBytes = 0;
    this.#ledger = new Ledger(0);
    this.#splitter = new LineSplitter({ maxLineBytes: this.#input.max_line_bytes, offset: 0 });
    this.#framing = createFraming(framingOptions(this.#input));
    this.#atEnd = false;
  }

  #record(line: Line): RawRecord {
    this.stats.records.add();
    if (line.cut > 0) {
      this.stats.cutRecords.add();
      this.stats.cutBytes.add(line.cut);
    }
    return {
      source: this.source(),
      start: line.start,
      end: line.end,
      text: line.text,
      escaped: line.escaped,
      cut: line.cut,
      readAt: this.#parts.clock.now(),
      cri: line.cri,
    };
  }

  /** Made when the first record is: by then its first line is known, which names it. */
  source(): FileSource {
    this.#source ??= new FileSource(sourceKey(this.#node, this.#head, this.#generation), this.#input.name, this.#path);
    return this.#source;
  }

  /** Something may be acknowledged under this key. */
  owns(key: string): boolean {
    return this.#source?.key === key || this.#former.some((former) => former.key === key && former.ledger.underWay > 0);
  }

  /** The store has a record for good. */
  acknowledge(key: string, end: number): void {
    if (this.#source?.key === key) this.#ledger.acknowledge(end);
    else this.#former.find((former) => former.key === key)?.ledger.acknowledge(end);
  }

  /** Takes back what is under way: it is read again from the last offset before which all is acknowledged. */
  rewind(): void {
    this.#ledger.takeBack();
    this.#reread(this.#ledger.acknowledged);
    if (this.#state === 'read') this.#state = 'rotated';
  }

  /** Goes on with other options. What has not been given out is read again. */
  configure(input: InputConfig, follow: FollowConfig): void {
    const same =
      JSON.stringify(framingOptions(input), showPattern) === JSON.stringify(framingOptions(this.#input), showPattern);
    this.#input = input;
    this.#follow = follow;
    if (!same) this.#reread(this.resume);
    this.#nextLook = 0;
  }

  #reread(offset: number): void {
    this.#splitter = new LineSplitter({ maxLineBytes: this.#input.max_line_bytes, offset });
    this.#framing = createFraming(framingOptions(this.#input));
    this.#holeBytes = 0;
    this.#ending = 'no';
    this.#atEnd = false;
  }

  /** For the checkpoint; undefined while nothing of it is acknowledged and nobody could tell it from others. */
  position(now: number): Position | undefined {
    const offset = this.#ledger.acknowledged;
    if (this.#source === undefined && offset === 0) return undefined;
    const { device, inode, born } = this.#node;
    return {
      key: this.source().key,
      device,
      inode,
      ...(born === undefined ? {} : { born }),
      generation: this.#generation,
      fingerprint: this.#fingerprint(),
      path: this.#path,
      input: this.#input.name,
      offset,
      size: this.#size,
      seen: now,
      ...(this.#state === 'deleted' ? { deleted: true } : {}),
    };
  }

  #known: { readonly head: Buffer; readonly fingerprint: Fingerprint } | undefined;

  #fingerprint(): Fingerprint {
    if (this.#known?.head !== this.#head) this.#known = { head: this.#head, fingerprint: fingerprintOf(this.#head) };
    return this.#known.fingerprint;
  }

  /** It could not be read to its known end. */
  lost(why: string): void {
    const bytes = Math.max(0, this.#size - this.#splitter.loaded);
    if (bytes > 0) {
      this.stats.lostBytes.add(bytes);
      this.stats.lostFiles.add();
      this.#parts.log.error(why, { path: this.#path, lost_bytes: bytes });
    }
    this.#ending = 'read';
    this.#state = 'read';
  }

  async close(): Promise<void> {
    this.#state = 'closed';
    this.#parts.open.closed(this);
    await this.letGo();
  }

  #failed(error: unknown): void {
    const { code = 'unknown', message } = error as NodeJS.ErrnoException;
    this.stats.failed(code);
    if (this.#failing === code) return;
    this.#failing = code;
    this.#parts.log.error('cannot read a file; it is tried again and again', { path: this.#path, error: message });
  }

  #worksAgain(): void {
    if (this.#failing !== undefined) this.#parts.log.info('a file can be read again', { path: this.#path });
    this.#failing = undefined;
  }
}

function framingOptions(input: InputConfig) {
  const { multiline } = input;
  return {
    format: input.format,
    maxLineBytes: input.max_line_bytes,
    partialTimeout: input.partial_line_timeout,
    multiline:
      multiline === undefined
        ? undefined
        : {
            start: multiline.start_pattern,
            continuation: multiline.continuation_pattern,
            timeout: multiline.timeout,
            maxLines: multiline.max_lines,
            maxBytes: multiline.max_bytes,
          },
  };
}

function showPattern(_key: string, value: unknown): unknown {
  return value instanceof RegExp ? value.source : value;
}

/** Whether a file with this node and these first bytes is the one whose position was kept. */
export function isFileOf(position: Position, node: FileNode, head: Buffer): boolean {
  if (position.deleted === true) return false;
  if (position.born !== undefined && node.born !== undefined && position.born !== node.born) return false;
  return bears(position.fingerprint, head);
}
