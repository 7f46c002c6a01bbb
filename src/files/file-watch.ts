import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { largestFile } from './read-text.ts';

export interface FileWatchOptions {
  /** Absolute paths; asked at every look. */
  files(): Iterable<string>;
  /** Milliseconds between two looks. */
  readonly interval: number;
  /** Told the paths whose contents have changed and have stood still since. */
  changed(paths: readonly string[]): void;
}

/** Milliseconds after which what has changed is read a second time: whoever is writing it may not be through. */
const confirmation = 200;

/** Milliseconds: two changes that are nearer to each other may leave a file with the same times. */
const coarseness = 1000;

interface Reading {
  /** Changes with the file, as far as its times tell. */
  readonly signature: string;
  readonly content: string;
  /** The file has been as it is for long enough for its times to be believed. */
  readonly settled: boolean;
}

/**
 * Notices that files have changed: by the content behind each path, looked up anew each time, so that it does not matter
 * whether a file is written in place, replaced by a rename, or reached through a symbolic link that is swapped, as
 * Kubernetes does. Notifications of the kernel miss the last, and all of them on some network file systems.
 */
export class FileWatch {
  readonly #options: FileWatchOptions;
  /** What is known of each file, by its path. */
  readonly #known = new Map<string, string>();
  /** Content that was seen once, and is not what is known. */
  #pending = new Map<string, string>();
  readonly #contents = new Map<string, Reading>();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: FileWatchOptions) {
    this.#options = options;
  }

  /** What is there now counts as known, unless {@link saw} has said otherwise. */
  async start(): Promise<void> {
    await this.#look();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** What somebody has read of files already: SHA-256 in hexadecimal. */
  saw(files: Iterable<readonly [path: string, content: string | undefined]>): void {
    for (const [path, content] of files) if (content !== undefined) this.#known.set(path, content);
  }

  async #look(): Promise<void> {
    const changed: string[] = [];
    const pending = new Map<string, string>();
    const paths = new Set(this.#options.files());
    for (const path of paths) {
      const content = await this.#contentOf(path);
      const known = this.#known.get(path);
      if (known === undefined) {
        this.#known.set(path, content);
      } else if (content !== known) {
        if (this.#pending.get(path) === content) changed.push(path);
        else pending.set(path, content);
      }
    }
    if (this.#stopped) return;
    for (const path of [...this.#known.keys()]) if (!paths.has(path)) this.#forget(path);
    // All together: a certificate and its key, or a configuration and what it includes, may change at the same time.
    if (pending.size === 0) {
      for (const path of changed) this.#known.set(path, this.#contents.get(path)!.content);
      this.#pending = pending;
      if (changed.length > 0) this.#options.changed(changed);
    } else {
      for (const path of changed) pending.set(path, this.#contents.get(path)!.content);
      this.#pending = pending;
    }
    const { interval } = this.#options;
    this.#timer = setTimeout(() => void this.#look(), pending.size > 0 ? Math.min(confirmation, interval) : interval);
    this.#timer.unref();
  }

  /** SHA-256 in hexadecimal, or a word for what cannot be read. Read only when the file looks different. */
  async #contentOf(path: string): Promise<string> {
    const reading = await this.#read(path);
    this.#contents.set(path, reading);
    return reading.content;
  }

  async #read(path: string): Promise<Reading> {
    try {
      const found = await stat(path, { bigint: true });
      const { dev, ino, size, mtimeNs, ctimeNs } = found;
      const signature = `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
      const before = this.#contents.get(path);
      if (before?.signature === signature && before.settled) return before;
      // A pipe, which must not be read: that takes from whoever it is meant for, and may wait for ever.
      if (!found.isFile()) return { signature, content: 'not a file', settled: true };
      if (size > largestFile) return { signature, content: `large: ${signature}`, settled: true };
      const bytes = await readFile(path);
      const settled = Date.now() - Number(ctimeNs / 1_000_000n) > coarseness;
      return { signature, content: createHash('sha256').update(bytes).digest('hex'), settled };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      return { signature: '', content: `unreadable: ${code}`, settled: false };
    }
  }

  #forget(path: string): void {
    this.#known.delete(path);
    this.#contents.delete(path);
  }
}
