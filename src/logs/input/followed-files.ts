import { constants } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../filter/define-filter.ts';
import type { ProcessLog } from '../../process-log.ts';
import type { Stats } from '../../stats/index.ts';
import type { Position } from '../checkpoint.ts';
import { Alarm } from './alarm.ts';
import { asksFor, excluded } from './asks-for.ts';
import type { FollowConfig, InputConfig } from './config.ts';
import { readHead } from './descriptor.ts';
import { DirectoryWatch } from './directory-watch.ts';
import { findFiles } from './find-files.ts';
import { findNode } from './find-node.ts';
import { followStats, type FollowStats } from './follow-stats.ts';
import { FollowedFile, type FollowedFileOptions } from './followed-file.ts';
import { readCompressedHead } from './gzip-descriptor.ts';
import { bears, isFileOf, nodeKey, nodeOf } from './identity.ts';
import { lastLineStart } from './last-line-start.ts';
import { OpenFiles } from './open-files.ts';
import { PastFiles } from './past-files.ts';
import { SearchFailures } from './search-failures.ts';
import { VanishedFiles } from './vanished-files.ts';

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
  readonly #vanished: VanishedFiles;
  readonly #failures: SearchFailures;
  #tooMany = false;
  #readFromEnd: boolean;
  #nextSearch = 0;
  #stopped = false;
  readonly #alarm = new Alarm();

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
    this.#failures = new SearchFailures(parts.log);
    this.#vanished = new VanishedFiles(this.#past, {
      log: parts.log,
      statsOf: (input) => this.#statsOf(input),
      follow: (path, past, input) => this.#followRest(path, past, input),
      followCompressed: (path, past, input) => this.#followCompressed(path, past, input),
    });
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
    this.#alarm.wake();
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
    this.#alarm.wake();
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
    this.#failures.begin();
    let more = false;
    for (const input of inputs) {
      const found = await findFiles(input.paths, excluded(input), follow.max_files);
      folders.push(...found.folders);
      more ||= found.more;
      for (const { path, code } of found.failures) this.#failed(path, input, code);
      for (const path of found.paths) {
        if (seen.has(path)) continue;
        seen.add(path);
        if (this.#byPath.has(path)) continue;
        if (this.#files.size >= follow.max_files) more = true;
        else await this.#foundPath(path, input);
      }
    }
    for (const path of this.#aliases.keys()) if (!seen.has(path)) this.#aliases.delete(path);
    this.#failures.end();
    if (more && !this.#tooMany) {
      this.#parts.log.error('there are more files than max_files; those beyond are not followed', {
        max_files: follow.max_files,
      });
    }
    this.#tooMany = more;
    this.#readFromEnd = false;
    this.#watch.watch([...new Set(folders)]);
    await this.#seekMoved();
    await this.#vanished.seek(inputs);
  }

  async #foundPath(path: string, input: InputConfig): Promise<void> {
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
      if (code !== 'ENOENT') this.#failed(path, input, code);
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
      if (past !== undefined && position === undefined) this.#vanished.replaced(past, node, input);
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

  /** Reads the rest of a known file that is at a path which no input asks for. @throws the error of the file system */
  async #followRest(path: string, past: Position, input: InputConfig): Promise<void> {
    await this.#follow(path, input, true);
    const file = this.#files.get(nodeKey(past));
    if (file !== undefined) await this.#look([file]);
  }

  /** Reads the rest of what is in a compressed file. @throws the error of the file system */
  async #followCompressed(path: string, past: Position, input: InputConfig): Promise<boolean> {
    const head = await readCompressedHead(path);
    const node = nodeOf(await stat(path, { bigint: true }));
    if (!bears(past.fingerprint, head) || this.#files.has(nodeKey(node))) return false;
    this.#past.forget(nodeKey(node));
    await this.#take(path, input, { node, size: past.size, head, position: past, compressed: true }, false);
    return true;
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

  /** Files that are at their path no longer and were not open: their rest is read where they are now. */
  async #seekMoved(): Promise<void> {
    for (const file of [...this.#files.values()]) {
      if (file.state !== 'rotated' || file.isOpen) continue;
      const at = await findNode(dirname(file.path), file.node).catch(() => undefined);
      if (at === undefined) file.lost('a file is gone that was not read to its end');
      else file.restAt(at);
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
    this.#alarm.wake();
  }

  /** Until something is due, or the kernel tells of a change. */
  async #rest(): Promise<void> {
    if (this.#stopped) return;
    let next = this.#nextSearch;
    for (const file of this.#files.values()) next = Math.min(next, file.nextLook);
    await this.#alarm.sleep(Math.max(5, next - this.#parts.clock.monotonic()));
  }

  #statsOf(input: InputConfig): FollowStats {
    let stats = this.#stats.get(input.name);
    if (stats === undefined) {
      stats = followStats(this.#parts.stats, input.name);
      this.#stats.set(input.name, stats);
    }
    return stats;
  }

  #failed(path: string, input: InputConfig, code: string): void {
    this.#statsOf(input).failed(code);
    this.#failures.failed(path, input.name, code);
  }
}
