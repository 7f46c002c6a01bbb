import { stat } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import type { FilterContext } from 'portico';
import { identityOf, openFile, openStandard, type OpenTarget } from './open-target.ts';

/** Who wrote a line is told when it is lost. */
export interface LineWriter {
  dropped(lines: number): void;
}

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
/** Bytes of lines that go into one write, where a pipe does not want less. */
const batchBytes = 16 * 1024;
/** Bytes that wait for a slow reader before lines are dropped. */
const mostWaiting = 4 * 1024 * 1024;
/** Milliseconds until a full pipe is tried again; and a file that failed, or was perhaps moved away. */
const pipeRetry = 20;
const checkInterval = 1000;
/** Milliseconds in which the rest must be written when the log is closed. */
const patience = 1000;

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
      sink: standard === undefined ? LineSink.toFile(key, log) : new LineSink(openStandard(standard), undefined, log),
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

/** Lines of each writer, in order. */
type Shares = { readonly writer: LineWriter; lines: number }[];

/**
 * Collects lines and hands them to pino's destination, which writes aside. What cannot be written waits within bounds,
 * and is dropped and counted beyond them.
 */
class LineSink {
  readonly #path: string | undefined;
  readonly #log: Log;
  readonly #check: NodeJS.Timeout;
  #out: Out | undefined;
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
      return new LineSink(openFile(path), path, log);
    } catch (error) {
      throw new Error(`the access log cannot be written to ${path}: ${(error as Error).message}`, { cause: error });
    }
  }

  /** @param path of the file, to be opened again; undefined for standard output and error */
  constructor(target: OpenTarget, path: string | undefined, log: Log) {
    this.#path = path;
    this.#log = log;
    this.#out = this.#start(target);
    this.#check = setInterval(() => this.#look(), checkInterval).unref();
  }

  write(line: string, writer: LineWriter): void {
    const limit = this.#out?.batchBytes ?? batchBytes;
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

  #start(target: OpenTarget): Out {
    const out = new Out(target, {
      dropped: (shares) => this.#drop(shares),
      failed: (error) => this.#failed(out, error),
      lastWords: () => this.flush(),
    });
    return out;
  }

  #drop(shares: Shares): void {
    for (const { writer, lines } of shares) {
      this.#dropped += lines;
      writer.dropped(lines);
    }
  }

  #failed(out: Out, error: NodeJS.ErrnoException): void {
    if (!this.#trouble)
      this.#log.warn('the access log cannot be written', {
        path: this.#path ?? 'standard output',
        error: error.message,
      });
    this.#trouble = true;
    // The reader is gone for good; a file is opened again at the next look.
    if (out === this.#out && (error.code === 'EPIPE' || error.code === 'EBADF')) {
      this.#out = undefined;
      out.abandon();
    }
  }

  /** Once a second: says what was lost, and opens a file again that was moved away, as log rotation does. */
  #look(): void {
    this.#report();
    const path = this.#path;
    if (path === undefined || this.#checking) return;
    this.#checking = true;
    stat(path, (error, stats) => {
      this.#checking = false;
      const identity = error === null ? identityOf(stats) : undefined;
      if (
        identity === undefined ? error?.code === 'ENOENT' || this.#out === undefined : identity !== this.#out?.identity
      )
        this.#reopen(path);
    });
  }

  #reopen(path: string): void {
    if (this.#closed) return;
    let next: Out;
    try {
      next = this.#start(openFile(path));
    } catch (error) {
      if (!this.#trouble)
        this.#log.warn('the access log cannot be opened again', { path, error: (error as Error).message });
      this.#trouble = true;
      return;
    }
    this.flush();
    void this.#out?.finish();
    this.#out = next;
    this.#log.info('the access log was opened again', { path });
  }

  #report(): void {
    const dropped = this.#dropped;
    this.#dropped = 0;
    if (dropped > 0) {
      if (!this.#trouble || this.#out !== undefined)
        this.#log.warn('lines of the access log were dropped', { lines: dropped });
      this.#trouble = true;
    } else if (this.#trouble && this.#out !== undefined && !this.#out.waiting) {
      this.#trouble = false;
      this.#log.info('the access log is written again');
    }
  }
}

interface OutEvents {
  dropped(shares: Shares): void;
  failed(error: NodeJS.ErrnoException): void;
  /** The process ends without closing the log: this is the last chance to write. */
  lastWords(): void;
}

/** An open target, and what is on its way there. */
class Out {
  readonly batchBytes: number;
  readonly identity: string;
  readonly #events: OutEvents;
  readonly #stream: ReturnType<typeof pino.destination>;
  /** Handed to the stream and not yet written, in order. */
  #handed: { bytes: number; readonly shares: Shares }[] = [];
  /** The stream has asked the system to write, and has not heard from it. */
  #busy = false;
  #refused = false;
  #closed = false;
  #retry: NodeJS.Timeout | undefined;

  constructor(target: OpenTarget, events: OutEvents) {
    this.#events = events;
    this.identity = target.identity;
    this.batchBytes = target.atomic ?? batchBytes;
    const stream = pino.destination({
      dest: target.fd,
      sync: false,
      minLength: 1,
      maxLength: mostWaiting,
      maxWrite: this.batchBytes,
      // The stream's own retry could outlive the file descriptor, and at the end of the process would never give up.
      retryEAGAIN: () => false,
    });
    this.#stream = stream;
    // Pino's listener turns a broken pipe into a stream that swallows lines; here they are counted.
    stream.removeAllListeners('error');
    stream.on('error', (error: NodeJS.ErrnoException) => this.#onError(error));
    stream.on('drain', () => this.#onIdle());
    stream.on('drop', () => (this.#refused = true));
    stream.on('write', (bytes: number) => this.#written(bytes));
    const flushSync = stream.flushSync.bind(stream);
    stream.flushSync = () => {
      if (this.#closed) return;
      events.lastWords();
      try {
        flushSync();
      } catch {
        // Nobody reads, or nothing fits: there is no later.
      }
    };
  }

  get waiting(): boolean {
    return this.#handed.length > 0;
  }

  write(batch: string, shares: Shares): void {
    this.#refused = false;
    this.#handed.push({ bytes: Buffer.byteLength(batch), shares });
    try {
      this.#stream.write(batch);
    } catch {
      this.#refused = true;
    }
    if (this.#refused) {
      this.#handed.pop();
      this.#events.dropped(shares);
    } else {
      this.#busy = true;
    }
  }

  /** Writes what waits, then closes. */
  async finish(): Promise<void> {
    const deadline = performance.now() + patience;
    while (this.#handed.length > 0 && performance.now() < deadline) {
      this.#tryAgain();
      await sleep(5);
    }
    this.abandon();
  }

  /** Closes as soon as the system lets go; what waits is lost. */
  abandon(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#retry);
    for (const { shares } of this.#handed) this.#events.dropped(shares);
    this.#handed = [];
    if (!this.#busy) this.#stream.destroy();
  }

  #written(bytes: number): void {
    let rest = bytes;
    while (rest > 0 && this.#handed.length > 0) {
      const first = this.#handed[0]!;
      const part = Math.min(rest, first.bytes);
      first.bytes -= part;
      rest -= part;
      if (first.bytes === 0) this.#handed.shift();
    }
  }

  #onIdle(): void {
    this.#busy = false;
    // Destroying earlier would close the file descriptor under a write that is under way.
    if (this.#closed) this.#stream.destroy();
  }

  #onError(error: NodeJS.ErrnoException): void {
    this.#onIdle();
    if (this.#closed) return;
    const full = error.code === 'EAGAIN' || error.code === 'EBUSY';
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#tryAgain(), full ? pipeRetry : checkInterval).unref();
    if (!full) this.#events.failed(error);
  }

  #tryAgain(): void {
    if (this.#closed) return;
    try {
      this.#busy = true;
      this.#stream.flush();
    } catch {
      this.#busy = false;
    }
  }
}
