import type { ProcessLog } from '../process-log.ts';
import type { CounterHandle } from '../stats/index.ts';
import type { FollowedFile } from './input/followed-file.ts';
import type { FollowedFiles } from './input/followed-files.ts';
import type { Outlet } from './outlet.ts';
import type { LogRecord, RawRecord } from './record.ts';

/** Bytes that are read at a time. One piece is in memory at a time, whatever the number of files. */
const pieceSize = 256 * 1024;

/** undefined: a rule has dropped it. */
export type Process = (raw: RawRecord) => LogRecord | undefined;

export interface PipelineParts {
  readonly files: FollowedFiles;
  readonly process: Process;
  readonly outlet: Outlet;
  readonly log: ProcessLog;
  /** Records that a rule has dropped. */
  readonly dropped: CounterHandle;
  /** Records that could not be processed, and are shipped as they were read. */
  readonly unprocessed: CounterHandle;
}

/**
 * Takes from each file in turn a piece, makes records of it and hands them over. While the outlet is full nothing is read: files
 * are what there is of memory.
 */
export class Pipeline {
  readonly #files: FollowedFiles;
  readonly #log: ProcessLog;
  readonly #dropped: CounterHandle;
  readonly #unprocessed: CounterHandle;
  readonly #piece = Buffer.allocUnsafeSlow(pieceSize);
  /** Files of the records that are under way, by the key of their source. */
  readonly #owners = new Map<string, FollowedFile>();
  #process: Process;
  #outlet: Outlet;
  #state: 'running' | 'draining' | 'stopped' = 'running';
  #running: Promise<void> | undefined;
  #wakeUp: (() => void) | undefined;
  /** Ends a wait for room, because it is for nothing. */
  #interrupt: (() => void) | undefined;
  /** Time that never jumps, in milliseconds. */
  #forgetAt = 0;

  constructor({ files, process, outlet, log, dropped, unprocessed }: PipelineParts) {
    this.#log = log;
    this.#unprocessed = unprocessed;
    this.#files = files;
    this.#process = process;
    this.#outlet = outlet;
    this.#dropped = dropped;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** There may be something to read. */
  wake(): void {
    this.#wakeUp?.();
  }

  /** The store has these for good. */
  acknowledged(records: readonly LogRecord[]): void {
    let key = '';
    let owner: FollowedFile | undefined;
    for (const { source, end } of records) {
      if (source.key !== key) {
        key = source.key;
        owner = this.#owners.get(key);
      }
      owner?.acknowledge(key, end);
    }
  }

  /** From the next record on, these are made and handed over differently. */
  use(process: Process, outlet: Outlet): void {
    this.#process = process;
    if (this.#outlet === outlet) return;
    this.#outlet = outlet;
    this.#interrupt?.();
  }

  /** Reads all files to their ends, hands over what waits for its end as well, and resolves; or when the signal aborts. */
  async drain(signal: AbortSignal): Promise<void> {
    const stop = () => this.#stop();
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    if (this.#state === 'running') this.#state = 'draining';
    this.wake();
    await this.#running;
    signal.removeEventListener('abort', stop);
    this.#stop();
  }

  /** Nothing more is read. */
  async stop(): Promise<void> {
    this.#stop();
    await this.#running;
  }

  #stop(): void {
    this.#state = 'stopped';
    this.#interrupt?.();
    this.wake();
  }

  get #stopped(): boolean {
    return this.#state === 'stopped';
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      this.#forget();
      const ready = this.#files.ready();
      for (const file of ready) {
        if (this.#stopped) return;
        await this.#read(file);
      }
      if (ready.length > 0) continue;
      if (this.#state === 'draining') return this.#finishLines();
      await new Promise<void>((resolve) => (this.#wakeUp = resolve));
      this.#wakeUp = undefined;
    }
  }

  async #read(file: FollowedFile): Promise<void> {
    await file.read(this.#piece);
    await this.#handOver(file);
  }

  async #handOver(file: FollowedFile): Promise<void> {
    for (let raw = file.next(); raw !== undefined; raw = file.next()) {
      if (!this.#owners.has(raw.source.key)) this.#owners.set(raw.source.key, file);
      const record = this.#make(raw);
      if (record === undefined) {
        this.#dropped.add();
        file.ledger.skip(file.resume);
        continue;
      }
      file.ledger.add(raw.end, file.resume);
      if (this.#outlet.offer(record)) continue;
      await this.#room();
      if (this.#stopped) return;
    }
  }

  /** A record that nobody foresaw must not keep the others from being shipped. */
  #make(raw: RawRecord): LogRecord | undefined {
    try {
      return this.#process(raw);
    } catch (error) {
      this.#unprocessed.add();
      this.#log.error('a record could not be processed; it is shipped as it was read', {
        path: raw.source.path,
        error,
      });
      const { source, start, end, text, readAt } = raw;
      return { source, start, end, time: readAt, nanos: 0, fields: { message: text, processing_error: String(error) } };
    }
  }

  async #finishLines(): Promise<void> {
    for (const file of this.#files.all) {
      if (this.#stopped) return;
      file.finishLines();
      await this.#handOver(file);
    }
  }

  #room(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#interrupt = resolve;
      this.#outlet.room().then(resolve, reject);
    });
  }

  /** Forgets the keys of what is acknowledged and will not come again. */
  #forget(): void {
    const now = performance.now();
    if (now < this.#forgetAt) return;
    this.#forgetAt = now + 1000;
    for (const [key, file] of this.#owners) if (file.state === 'closed' || !file.owns(key)) this.#owners.delete(key);
  }
}
