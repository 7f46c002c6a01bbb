import { stat } from 'node:fs';
import type { FilterContext } from 'portico';
import { LineWriting, type LineWriter, type Shares } from './line-writing.ts';
import { identityOf, openFile, openStandard, type OpenTarget } from './open-target.ts';

/** A place of use of a sink. */
export interface SinkUse {
  /** Takes a line with its end. Never waits, never throws. */
  write(line: string, writer: LineWriter): void;
  /** Ends this use; the last one writes what waits, for a second at most. Never rejects. */
  release(): Promise<void>;
}

type Log = FilterContext['log'];

/** Longest time that a line waits here for others to come along. */
const flushDelay = 250;
/** Milliseconds after which a file is looked at again, that was perhaps moved away. */
const checkInterval = 1000;

/**
 * One sink for each target in this process. Filters of several routes, and the old and the new configuration during a
 * reload, write to the same file: two writers would mix their lines.
 */
const sinks = new Map<string, { readonly sink: LineSink; uses: number }>();

/**
 * Opens where lines go, or joins those who use it already.
 * @throws Error that says which file cannot be written
 */
export function useSink(path: string, resolvePath: (path: string) => string, log: Log): SinkUse {
  const standard = standardNames[path];
  const key = standard === undefined ? resolvePath(path) : `fd ${standard}`;
  let entry = sinks.get(key);
  if (entry === undefined) {
    entry = {
      sink:
        standard === undefined ? LineSink.toFile(key, log) : new LineSink(openStandard(standard), undefined, path, log),
      uses: 0,
    };
    sinks.set(key, entry);
  }
  const { sink } = entry;
  const mine = entry;
  mine.uses++;
  let released = false;
  return {
    write: (line, writer) => sink.write(line, writer),
    async release() {
      if (released) return;
      released = true;
      sink.flush();
      if (--mine.uses > 0) return;
      sinks.delete(key);
      await sink.close();
    },
  };
}

const standardNames: Readonly<Record<string, 1 | 2>> = { stdout: 1, '/dev/stdout': 1, stderr: 2, '/dev/stderr': 2 };

/**
 * Collects lines and hands them to pino's destination, which writes aside. What cannot be written waits within bounds,
 * and is dropped and counted beyond them.
 */
class LineSink {
  /** Of the file, to be opened again; undefined for standard output and error. */
  readonly #file: string | undefined;
  /** For messages. */
  readonly #path: string;
  readonly #log: Log;
  readonly #check: NodeJS.Timeout;
  #out: LineWriting | undefined;
  #batch = '';
  #shares: Shares = [];
  #flushTimer: NodeJS.Timeout | undefined;
  /** Since the last report. */
  #dropped = 0;
  #trouble = false;
  #checking = false;
  #closed = false;

  /** @throws Error whose message names the file */
  static toFile(path: string, log: Log): LineSink {
    try {
      return new LineSink(openFile(path), path, path, log);
    } catch (error) {
      throw new Error(`the access log cannot be written to ${path}: ${(error as Error).message}`, { cause: error });
    }
  }

  constructor(target: OpenTarget, file: string | undefined, path: string, log: Log) {
    this.#file = file;
    this.#path = path;
    this.#log = log;
    this.#out = this.#start(target);
    this.#check = setInterval(() => this.#look(), checkInterval).unref();
  }

  write(line: string, writer: LineWriter): void {
    const limit = this.#out?.batchBytes ?? 0;
    if (this.#batch.length + line.length > limit) this.flush();
    this.#batch += line;
    const last = this.#shares.at(-1);
    if (last?.writer === writer) last.lines++;
    else this.#shares.push({ writer, lines: 1 });
    this.#flushTimer ??= setTimeout(() => this.flush(), flushDelay).unref();
  }

  /** Hands over what was collected. */
  flush(): void {
    clearTimeout(this.#flushTimer);
    this.#flushTimer = undefined;
    if (this.#batch === '') return;
    const batch = this.#batch;
    const shares = this.#shares;
    this.#batch = '';
    this.#shares = [];
    if (this.#out === undefined) this.#drop(shares);
    else this.#out.write(batch, shares);
  }

  async close(): Promise<void> {
    this.flush();
    this.#closed = true;
    clearInterval(this.#check);
    const out = this.#out;
    this.#out = undefined;
    await out?.finish();
    this.#report();
  }

  #start(target: OpenTarget): LineWriting {
    const out = new LineWriting(target, {
      dropped: (shares) => this.#drop(shares),
      failed: (error) => this.#failed(out, error),
      lastCall: () => this.flush(),
    });
    return out;
  }

  #drop(shares: Shares): void {
    for (const { writer, lines } of shares) {
      this.#dropped += lines;
      writer.dropped(lines);
    }
  }

  #failed(out: LineWriting, error: NodeJS.ErrnoException): void {
    this.#warnOnce('the access log cannot be written', error);
    // The reader is gone for good; a file is opened again at the next look.
    if (out === this.#out && (error.code === 'EPIPE' || error.code === 'EBADF')) {
      this.#out = undefined;
      out.abandon();
    }
  }

  /** Once a second: says what was lost, and opens a file again that was moved away, as log rotation does. */
  #look(): void {
    this.#report();
    const file = this.#file;
    if (file === undefined || this.#checking) return;
    this.#checking = true;
    stat(file, (error, stats) => {
      this.#checking = false;
      const movedAway = error?.code === 'ENOENT';
      const replaced = error === null && identityOf(stats) !== this.#out?.identity;
      if (movedAway || replaced) this.#reopen(file);
    });
  }

  #reopen(file: string): void {
    if (this.#closed) return;
    let next: LineWriting;
    try {
      next = this.#start(openFile(file));
    } catch (error) {
      this.#warnOnce('the access log cannot be opened again', error as Error);
      return;
    }
    this.flush();
    void this.#out?.finish();
    this.#out = next;
    this.#log.info('the access log was opened again', { path: file });
  }

  #report(): void {
    const dropped = this.#dropped;
    this.#dropped = 0;
    if (dropped > 0) {
      // When nobody reads for good it was said once, and the counter tells the rest.
      if (!this.#trouble || this.#out !== undefined) {
        this.#log.warn('lines of the access log were dropped', { path: this.#path, lines: dropped });
      }
      this.#trouble = true;
    } else if (this.#trouble && this.#out !== undefined && !this.#out.waiting) {
      this.#trouble = false;
      this.#log.info('the access log is written again', { path: this.#path });
    }
  }

  #warnOnce(message: string, error: Error): void {
    if (!this.#trouble) this.#log.warn(message, { path: this.#path, error: error.message });
    this.#trouble = true;
  }
}
