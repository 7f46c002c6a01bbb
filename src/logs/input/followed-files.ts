import { constants } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../filter/define-filter.ts';
import type { ProcessLog } from '../../process-log.ts';
import type { Stats } from '../../stats/index.ts';
import type { Position } from '../checkpoint.ts';
import type { FollowConfig, InputConfig } from './config.ts';
import { DirectoryWatch } from './directory-watch.ts';
import { findCompressed } from './find-compressed.ts';
import { findFiles } from './find-files.ts';
import { findNode } from './find-node.ts';
import { followStats, type FollowStats } from './follow-stats.ts';
import { FollowedFile, type FollowedFileOptions } from './followed-file.ts';
import { readHead } from './descriptor.ts';
import { readCompressedHead } from './gzip-descriptor.ts';
import { isFileOf, nodeKey, nodeOf, type FileNode } from './identity.ts';
import { lastLineStart } from './last-line-start.ts';
import { OpenFiles } from './open-files.ts';
import { PastFiles } from './past-files.ts';
import { tellLoss } from './tell-loss.ts';

/** Looks that are under way at a time. */
const looksAtOnce = 16;

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
  readonly #past: PastFiles;
  /** Files in whose place there is another one, until they have been sought among compressed ones. */
  #gone: { readonly past: Position; readonly input: InputConfig; readonly how: string }[] = [];
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
    this.#past = new PastFiles(start.positions);
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
    const positions = this.#past.positions(now - this.#options.forgetAfter);
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
    if (position !== undefined) this.#past.keep(file.key, { ...position, ...(state === 'read' ? { done: true } : {}) });
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
      const head = await readHead(opened);
      const size = Number(found.size);
      const past = this.#past.get(key);
      const isOurs = past !== undefined && past.compressed !== true && isFileOf(past, node, head);
      const position = isOurs && past.offset <= size ? past : undefined;
      if (position === undefined && rest) return;
      if (past !== undefined && position === undefined) this.#replacedWhileAway(past, node, input);
      const fresh = position === undefined ? await this.#beginning(opened, size, input, past) : { position };
      this.#past.forget(key);
      await this.#take(path, input, { node, size, head, ...fresh }, !rest);
    } finally {
      await opened.close();
    }
  }

  /** Where a file is read from that was never followed. @param past what its inode was before @throws the error of the file system */
  async #beginning(opened: FileHandle, size: number, input: InputConfig, past: Position | undefined) {
    return {
      generation: past === undefined ? 0 : past.generation + 1,
      offset: this.#readFromEnd && input.read_from === 'end' ? await lastLineStart(opened, size) : 0,
    };
  }

  /** Reads the rest of what is in a compressed file. @throws the error of the file system */
  async #followCompressed(path: string, past: Position, input: InputConfig): Promise<void> {
    const head = await readCompressedHead(path);
    const node = nodeOf(await stat(path, { bigint: true }));
    if (this.#files.has(nodeKey(node))) return;
    this.#past.forget(nodeKey(node));
    await this.#take(path, input, { node, size: past.size, head, position: past, compressed: true }, false);
  }

  async #take(
    path: string,
    input: InputConfig,
    known: Pick<FollowedFileOptions, 'node' | 'size' | 'head' | 'position' | 'offset' | 'generation' | 'compressed'>,
    atPath: boolean,
  ): Promise<void> {
    const file = new FollowedFile(
      { input, follow: this.#options.follow, stats: this.#statsOf(input), path, ...known },
      { log: this.#parts.log, clock: this.#parts.clock, open: this.#open },
    );
    this.#files.set(file.key, file);
    if (atPath) this.#byPath.set(path, file);
    // So that it can be read even when it is gone by then.
    if (this.#open.room) await file.open();
    const how = known.position === undefined ? 'following a file' : 'following a file from where it was left';
    this.#parts.log.info(how, { path, input: input.name, offset: file.offset });
    this.#parts.wake();
  }

  /** In the place of a file whose position is known there is another one. */
  #replacedWhileAway(past: Position, node: FileNode, input: InputConfig): void {
    if (past.deleted === true) return;
    const truncated = past.born === undefined || past.born === node.born;
    const how = truncated ? 'a file was truncated while nobody read it' : 'a file was replaced while nobody read it';
    this.#gone.push({ past, input, how });
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
    for (const [key, past] of this.#past.missing) {
      const input = this.#options.inputs.find(({ name }) => name === past.input);
      if (past.deleted === true || input === undefined) {
        this.#past.seekNoMore(key);
        continue;
      }
      try {
        const at = await findNode(dirname(past.path), past);
        if (at !== undefined && past.compressed === true && past.done !== true)
          await this.#followCompressed(at, past, input);
        else if (at !== undefined && past.compressed !== true) {
          await this.#follow(at, input, true);
          const file = this.#files.get(key);
          if (file !== undefined) await this.#look([file]);
        }
        if (this.#past.isMissing(key)) {
          await this.#seekCompressed(past, input, 'a file is gone, or was replaced, while nobody read it');
          this.#past.forget(key);
        }
      } catch {
        // The folder cannot be read, or is not there yet: it is sought again.
      }
    }
    for (const { past, input, how } of this.#gone.splice(0)) await this.#seekCompressed(past, input, how);
  }

  /** A file that is gone may have been compressed; otherwise it is lost. */
  async #seekCompressed(past: Position, input: InputConfig, how: string): Promise<void> {
    if (past.done === true) return;
    try {
      const at = past.compressed === true ? undefined : await findCompressed(past);
      // What an input asks for is read as it is, whatever it is.
      if (at !== undefined && !this.#options.inputs.some((other) => asksFor(other, at)))
        return await this.#followCompressed(at, past, input);
    } catch {
      // It went away meanwhile, or its folder did.
    }
    tellLoss(past, how, { stats: this.#statsOf(input), log: this.#parts.log });
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
