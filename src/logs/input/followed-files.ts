import { constants } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../../filter/define-filter.ts';
import type { ProcessLog } from '../../process-log.ts';
import type { Stats } from '../../stats/index.ts';
import type { Position } from '../checkpoint.ts';
import type { FollowConfig, InputConfig } from './config.ts';
import { DirectoryWatch } from './directory-watch.ts';
import { findFiles } from './find-files.ts';
import { followStats, type FollowStats } from './follow-stats.ts';
import { FollowedFile } from './followed-file.ts';
import { headLength, isFileOf, nodeKey, nodeOf, type FileNode } from './identity.ts';
import { OpenFiles } from './open-files.ts';

/** Looks that are under way at a time. */
const looksAtOnce = 16;

/** Names of a folder that are looked at to find a file that has moved. */
const mostSiblings = 10_000;

/** Bytes before the end of a file in which the beginning of its last line is sought. */
const lastLineWithin = 64 * 1024;

export interface FollowedFilesParts {
  readonly log: ProcessLog;
  readonly stats: Stats;
  readonly clock: Clock;
  /** There may be something to read. */
  wake(): void;
}

export interface FilesOptions {
  readonly inputs: readonly InputConfig[];
  readonly follow: FollowConfig;
  /** Milliseconds for which the position of a file is kept that is gone. */
  readonly forgetAfter: number;
}

/** All files that are followed: finds new ones, and keeps an eye on those there are. */
export class FollowedFiles {
  readonly #parts: FollowedFilesParts;
  readonly #open: OpenFiles;
  readonly #watch: DirectoryWatch;
  readonly #stats = new Map<string, FollowStats>();
  #options: FilesOptions;
  /** By device and inode. */
  readonly #files = new Map<string, FollowedFile>();
  readonly #byPath = new Map<string, FollowedFile>();
  /** Other names of files that are followed, with the device and inode behind them. */
  readonly #aliases = new Map<string, string>();
  /** Positions of files that are not followed, by device and inode. */
  readonly #past: Map<string, Position>;
  /** Those of them whose files were not found yet since the start. */
  #missing: Set<string>;
  /** What could not be looked at, by path, with the code of the error: each is logged once. */
  #failures = new Map<string, string>();
  #tooMany = false;
  #readFromEnd: boolean;
  #nextSearch = 0;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;
  #wakeUp: (() => void) | undefined;

  /** @param start what was known at the start; `first` when nothing was ever known here */
  constructor(
    options: FilesOptions,
    start: { readonly positions: readonly Position[]; readonly first: boolean },
    parts: FollowedFilesParts,
  ) {
    this.#options = options;
    this.#parts = parts;
    this.#open = new OpenFiles(options.follow.max_open_files);
    this.#past = new Map(start.positions.map((position) => [nodeKey(position), position]));
    this.#missing = new Set(this.#past.keys());
    this.#readFromEnd = start.first;
    this.#watch = new DirectoryWatch((path, kind) => this.#hinted(path, kind));
  }

  get all(): Iterable<FollowedFile> {
    return this.#files.values();
  }

  get openFiles(): number {
    return this.#open.size;
  }

  /** Files that may have something to give, in a fixed order. */
  ready(): FollowedFile[] {
    const ready: FollowedFile[] = [];
    for (const file of this.#files.values()) if (file.ready) ready.push(file);
    return ready;
  }

  /** Finds and looks, again and again, until it is stopped. Never rejects. */
  async tend(): Promise<void> {
    while (!this.#stopped) {
      const now = this.#parts.clock.monotonic();
      if (now >= this.#nextSearch) await this.search();
      await this.#lookAtDue();
      await this.#rest();
    }
  }

  /** One look at everything there is. */
  async lookAtAll(): Promise<void> {
    await this.search();
    await this.#look([...this.#files.values()]);
  }

  stop(): void {
    this.#stopped = true;
    this.#watch.close();
    this.#wake();
  }

  async close(): Promise<void> {
    this.stop();
    for (const file of this.#files.values()) await file.close();
  }

  /** Goes on with other inputs. Files that none of them asks for are no longer followed; their positions are kept. */
  async configure(options: FilesOptions): Promise<void> {
    this.#options = options;
    this.#open.most = options.follow.max_open_files;
    for (const file of [...this.#files.values()]) {
      const input = options.inputs.find(({ name }) => name === file.input.name);
      const asked = input !== undefined && (file.state !== 'live' || asksFor(input, file.path));
      if (asked) file.configure(input, options.follow);
      else await this.#release(file);
    }
    this.#nextSearch = 0;
    this.#wake();
  }

  /** For the checkpoint. */
  positions(): Position[] {
    const now = this.#parts.clock.now();
    const oldest = now - this.#options.forgetAfter;
    for (const [key, { seen }] of this.#past) if (seen < oldest && !this.#missing.has(key)) this.#past.delete(key);
    const positions = [...this.#past.values()];
    for (const file of this.#files.values()) {
      const position = file.position(now);
      if (position !== undefined) positions.push(position);
    }
    return positions;
  }

  async #release(file: FollowedFile): Promise<void> {
    const position = file.position(this.#parts.clock.now());
    const { state } = file;
    this.#files.delete(file.key);
    if (this.#byPath.get(file.path) === file) this.#byPath.delete(file.path);
    if (position !== undefined) this.#past.set(file.key, { ...position, ...(state === 'read' ? { done: true } : {}) });
    await file.close();
  }

  /** Finds new files, and where files have gone that have moved. */
  async search(): Promise<void> {
    const { inputs, follow } = this.#options;
    this.#nextSearch = this.#parts.clock.monotonic() + follow.discover_interval;
    const seen = new Set<string>();
    const folders: string[] = [];
    const failures = new Map<string, string>();
    let more = false;
    for (const input of inputs) {
      const found = await findFiles(input.paths, excluded(input), follow.max_files);
      folders.push(...found.folders);
      more ||= found.more;
      for (const { path, code } of found.failures) this.#failed(failures, input, path, code);
      for (const path of found.paths) {
        if (seen.has(path)) continue;
        seen.add(path);
        if (this.#byPath.has(path)) continue;
        if (this.#files.size >= follow.max_files) more = true;
        else await this.#foundPath(path, input, failures);
      }
    }
    for (const path of this.#aliases.keys()) if (!seen.has(path)) this.#aliases.delete(path);
    this.#failures = failures;
    if (more && !this.#tooMany) {
      this.#parts.log.error('there are more files than max_files; those beyond are not followed', {
        max_files: follow.max_files,
      });
    }
    this.#tooMany = more;
    this.#readFromEnd = false;
    this.#watch.watch([...new Set(folders)]);
    await this.#seekMoved();
    await this.#seekMissing();
  }

  async #foundPath(path: string, input: InputConfig, failures: Map<string, string>): Promise<void> {
    try {
      const found = await stat(path, { bigint: true });
      if (!found.isFile()) return;
      const node = nodeOf(found);
      const key = nodeKey(node);
      const known = this.#files.get(key);
      if (known === undefined) return await this.#follow(path, input);
      if (this.#aliases.get(path) === key && known.state === 'live') return;
      // It may have moved here from where we know it to be.
      await this.#look([known]);
      if (known.state === 'live') this.#aliases.set(path, key);
      else {
        this.#rename(known, path);
        this.#parts.log.debug('a file has moved', { path });
      }
    } catch (error) {
      const { code = 'unknown' } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT') this.#failed(failures, input, path, code);
    }
  }

  #rename(file: FollowedFile, path: string): void {
    if (this.#byPath.get(file.path) === file) this.#byPath.delete(file.path);
    file.movedTo(path);
    this.#byPath.set(path, file);
  }

  /** @throws the error of the file system */
  async #follow(path: string, input: InputConfig, rest = false): Promise<void> {
    const opened = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const found = await opened.stat({ bigint: true });
      const node = nodeOf(found);
      const key = nodeKey(node);
      if (!found.isFile() || this.#files.has(key)) return;
      const head = Buffer.alloc(headLength);
      const { bytesRead } = await opened.read(head, 0, headLength, 0);
      const size = Number(found.size);
      const first = head.subarray(0, bytesRead);
      const past = this.#past.get(key);
      const position = past !== undefined && isFileOf(past, node, first) && past.offset <= size ? past : undefined;
      const fresh =
        position === undefined
          ? {
              generation: past === undefined ? 0 : past.generation + 1,
              offset: this.#readFromEnd && input.read_from === 'end' ? await lastLineStart(opened, size) : 0,
            }
          : { position };
      if (position === undefined && rest) return;
      if (past !== undefined && position === undefined) this.#replacedWhileAway(past, node, input);
      this.#past.delete(key);
      this.#missing.delete(key);
      const stats = this.#statsOf(input);
      const file = new FollowedFile(
        { input, follow: this.#options.follow, stats, path, node, size, head: first, ...fresh },
        { log: this.#parts.log, clock: this.#parts.clock, open: this.#open },
      );
      this.#files.set(key, file);
      if (!rest) this.#byPath.set(path, file);
      // So that it can be read even when it is gone by then.
      if (this.#open.room) await file.open();
      this.#parts.log.info(position === undefined ? 'following a file' : 'following a file from where it was left', {
        path,
        input: input.name,
        offset: file.offset,
      });
      this.#parts.wake();
    } finally {
      await opened.close();
    }
  }

  /** In the place of a file whose position is known there is another one. */
  #replacedWhileAway(past: Position, node: FileNode, input: InputConfig): void {
    if (past.deleted === true) return;
    const truncated = past.born === undefined || past.born === node.born;
    this.#lose(
      past,
      truncated ? 'a file was truncated while nobody read it' : 'a file is gone that was not read to its end',
      input,
    );
  }

  #lose(past: Position, message: string, input: InputConfig | undefined): void {
    const bytes = past.size - past.offset;
    if (past.done === true || bytes <= 0) return;
    const stats = this.#statsOf(input ?? this.#options.inputs[0]!);
    stats.lostBytes.add(bytes);
    stats.lostFiles.add();
    this.#parts.log.error(message, { path: past.path, lost_bytes: bytes });
  }

  /** Files that are at their path no longer and were not open: their rest is read where they are now. */
  async #seekMoved(): Promise<void> {
    for (const file of [...this.#files.values()]) {
      if (file.state !== 'rotated' || file.isOpen) continue;
      const at = await findNode(dirname(file.path), file.node).catch(() => undefined);
      if (at === undefined) file.lost('a file is gone that was not read to its end');
      else file.restAt(at);
    }
  }

  /** Files that were followed before the start and are not where they were: rotated away, or gone. */
  async #seekMissing(): Promise<void> {
    for (const key of [...this.#missing]) {
      const past = this.#past.get(key);
      const input = this.#options.inputs.find(({ name }) => name === past?.input);
      if (past === undefined || past.deleted === true || input === undefined) {
        this.#missing.delete(key);
        continue;
      }
      try {
        const at = await findNode(dirname(past.path), past);
        if (at !== undefined) {
          await this.#follow(at, input, true);
          const file = this.#files.get(key);
          if (file !== undefined) await this.#look([file]);
        }
        if (this.#missing.has(key)) {
          this.#lose(past, 'a file is gone, or was replaced, that was not read to its end', input);
          this.#past.delete(key);
        }
        this.#missing.delete(key);
      } catch {
        // The folder cannot be read, or is not there yet: it is sought again.
      }
    }
  }

  async #lookAtDue(): Promise<void> {
    const now = this.#parts.clock.monotonic();
    const due: FollowedFile[] = [];
    for (const file of this.#files.values()) if (file.nextLook <= now) due.push(file);
    await this.#look(due);
  }

  async #look(files: readonly FollowedFile[]): Promise<void> {
    for (let from = 0; from < files.length; from += looksAtOnce) {
      await Promise.all(files.slice(from, from + looksAtOnce).map((file) => this.#lookAt(file)));
    }
    if (files.some((file) => file.ready)) this.#parts.wake();
  }

  async #lookAt(file: FollowedFile): Promise<void> {
    const { path } = file;
    const there = await file.look();
    if (file.state === 'read' && file.settled) await this.#release(file);
    if (there) return;
    if (this.#byPath.get(path) === file) this.#byPath.delete(path);
    file.stats.rotations.add();
    this.#parts.log.info('a file has left its place; it is read to its end', { path, state: file.state });
    // Another one may be there by now.
    this.#nextSearch = 0;
  }

  #hinted(path: string | undefined, kind: 'change' | 'rename'): void {
    const file = path === undefined ? undefined : this.#byPath.get(path);
    if (file !== undefined) file.hint();
    else if (kind === 'change' && path !== undefined) return;
    // A name that comes and goes often must not make us search all the time.
    else this.#nextSearch = Math.min(this.#nextSearch, this.#parts.clock.monotonic() + 50);
    this.#wake();
  }

  #wake(): void {
    this.#wakeUp?.();
  }

  /** Until something is due, or the kernel tells of a change. */
  async #rest(): Promise<void> {
    if (this.#stopped) return;
    let next = this.#nextSearch;
    for (const file of this.#files.values()) next = Math.min(next, file.nextLook);
    await new Promise<void>((resolve) => {
      this.#wakeUp = resolve;
      this.#timer = setTimeout(resolve, Math.max(5, next - this.#parts.clock.monotonic()));
    });
    clearTimeout(this.#timer);
    this.#wakeUp = undefined;
  }

  #statsOf(input: InputConfig): FollowStats {
    let stats = this.#stats.get(input.name);
    if (stats === undefined) {
      stats = followStats(this.#parts.stats, input.name);
      this.#stats.set(input.name, stats);
    }
    return stats;
  }

  #failed(failures: Map<string, string>, input: InputConfig, path: string, code: string): void {
    failures.set(path, code);
    this.#statsOf(input).failed(code);
    if (this.#failures.get(path) === code) return;
    this.#parts.log.error('cannot read what an input asks for; it is tried again and again', {
      path,
      input: input.name,
      code,
    });
  }
}

function excluded({ exclude }: InputConfig): (path: string) => boolean {
  return (path) => exclude.some(({ matches }) => matches(path));
}

function asksFor(input: InputConfig, path: string): boolean {
  return input.paths.some((glob) => glob.matches(path)) && !excluded(input)(path);
}

/** The path in a folder of a file that has another name by now. */
async function findNode(folder: string, node: Pick<FileNode, 'device' | 'inode'>): Promise<string | undefined> {
  const wanted = nodeKey(node);
  for (const name of (await readdir(folder)).slice(0, mostSiblings)) {
    const path = join(folder, name);
    const found = await stat(path, { bigint: true }).catch(() => undefined);
    if (found?.isFile() === true && nodeKey(nodeOf(found)) === wanted) return path;
  }
  return undefined;
}

/** Where the last line begins that has no end yet; the end of the file when that is far. */
async function lastLineStart(
  file: { read(buffer: Buffer, offset: number, length: number, position: number): Promise<{ bytesRead: number }> },
  size: number,
): Promise<number> {
  const length = Math.min(size, lastLineWithin);
  const tail = Buffer.alloc(length);
  const { bytesRead } = await file.read(tail, 0, length, size - length);
  const newline = tail.subarray(0, bytesRead).lastIndexOf(0x0a);
  if (newline >= 0) return size - length + newline + 1;
  return length === size ? 0 : size;
}
