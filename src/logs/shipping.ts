import { mkdir } from 'node:fs/promises';
import type { Clock } from '../filter/define-filter.ts';
import type { ProcessLog } from '../process-log.ts';
import type { Stats } from '../stats/index.ts';
import { CheckpointFile } from './checkpoint-file.ts';
import type { ReadingConfig } from './config.ts';
import { FollowedFiles, type FilesOptions } from './input/followed-files.ts';
import { showFiles, type FileView } from './input/file-view.ts';
import { lagGauge } from './input/lag-gauge.ts';
import type { Outlet } from './outlet.ts';
import { Pipeline, type Process } from './pipeline.ts';
import type { LogRecord } from './record.ts';
import { lockState, type StateLock } from './state-lock.ts';

export interface ShippingParts {
  readonly log: ProcessLog;
  readonly stats: Stats;
  readonly clock: Clock;
}

/** What is done with records, made anew by a reload. */
export interface Destination {
  readonly process: Process;
  /** Told the way back for what is acknowledged. */
  connect(acknowledged: (records: readonly LogRecord[]) => void): Promise<Outlet>;
}

/** What a drain could not bring to its end. */
export interface Left {
  readonly files: number;
  readonly bytes: number;
}

/** Follows files and hands their records over; keeps how far it has come, and gives nothing up before it is acknowledged. */
export class Shipping {
  readonly files: FollowedFiles;
  readonly #parts: ShippingParts;
  readonly #checkpoint: CheckpointFile;
  readonly #lock: StateLock;
  readonly #pipeline: Pipeline;
  /** Outlets that a reload has replaced, until they are empty. */
  readonly #former = new Map<Outlet, Promise<void>>();
  #config: ReadingConfig;
  #outlet: Outlet;
  #tending: Promise<void> | undefined;
  #saving: Promise<unknown> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  /** Acknowledged since the last checkpoint. */
  #dirty = true;
  #stopped = false;

  private constructor(
    config: ReadingConfig,
    parts: ShippingParts,
    made: { files: FollowedFiles; checkpoint: CheckpointFile; lock: StateLock; pipeline: Pipeline; outlet: Outlet },
  ) {
    this.#config = config;
    this.#parts = parts;
    this.files = made.files;
    this.#checkpoint = made.checkpoint;
    this.#lock = made.lock;
    this.#pipeline = made.pipeline;
    this.#outlet = made.outlet;
  }

  /**
   * Resolves when the files there are have been found, and reading goes on by itself.
   * @throws Error of one line when the state folder cannot be used, or what `connect` throws
   */
  static async start(config: ReadingConfig, destination: Destination, parts: ShippingParts): Promise<Shipping> {
    const { folder } = config.state;
    await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      throw new Error(`cannot make the state folder ${folder}: ${error.message}`, { cause: error });
    });
    const lock = await lockState(folder);
    let shipping: Shipping | undefined;
    try {
      const checkpoint = new CheckpointFile(folder, parts);
      const wake = () => pipeline?.wake();
      const files = new FollowedFiles(filesOptions(config), await checkpoint.load(), { ...parts, wake });
      const outlet = await destination.connect((records) => shipping?.acknowledged(records));
      const dropped = parts.stats
        .counter('portico_logs_dropped_records_total', 'Records that a rule has dropped.')
        .with({});
      const unprocessed = parts.stats
        .counter(
          'portico_logs_unprocessed_records_total',
          'Records that could not be processed, and were shipped as they were read.',
        )
        .with({});
      const { process } = destination;
      const pipeline = new Pipeline({ files, process, outlet, dropped, unprocessed, log: parts.log });
      shipping = new Shipping(config, parts, { files, checkpoint, lock, pipeline, outlet });
    } catch (error) {
      await lock.release();
      throw error;
    }
    await shipping.#begin();
    return shipping;
  }

  async #begin(): Promise<void> {
    lagGauge(this.#parts.stats, this.files);
    await this.files.search();
    // Now, so that files that come later are known to have come later.
    await this.#save();
    this.#tending = this.files.tend();
    this.#pipeline.start();
    this.#schedule();
  }

  /** The store has these for good. */
  acknowledged(records: readonly LogRecord[]): void {
    this.#dirty = true;
    this.#pipeline.acknowledged(records);
  }

  show(): readonly FileView[] {
    return showFiles(this.files);
  }

  /** What the checkpoint cannot be written for, such as ENOSPC. */
  get checkpointFailing(): string | undefined {
    return this.#checkpoint.failing;
  }

  /**
   * Goes on with other inputs and another destination. What was handed over to the former outlet is its business until
   * `drain_time` is over; what it has not brought to its end by then is read again.
   * @param destination undefined for the same outlet, with `process` alone
   * @throws what `connect` throws, having changed nothing
   */
  async configure(config: ReadingConfig, destination: Destination, sameOutlet: boolean): Promise<void> {
    const before = this.#outlet;
    const outlet = sameOutlet ? before : await destination.connect((records) => this.acknowledged(records));
    this.#config = config;
    this.#outlet = outlet;
    this.#pipeline.use(destination.process, outlet);
    if (outlet !== before) this.#former.set(before, this.#leave(before));
    await this.files.configure(filesOptions(config));
  }

  async #leave(outlet: Outlet): Promise<void> {
    const signal = AbortSignal.timeout(this.#config.drain.drain_time);
    await this.#flush(outlet, signal);
    await outlet.close();
    this.#former.delete(outlet);
    if (!signal.aborted || this.#stopped) return;
    this.#parts.log.warn(
      'the former output did not take all it was given; the rest is read again and goes to the new one',
    );
    for (const file of this.files.all) if (!file.settled) file.rewind();
    this.#pipeline.wake();
  }

  /**
   * Reads all files to their ends, waits until all is acknowledged, and writes the checkpoint; at most for `drain_time`.
   * Answers what is left. The files are no longer followed.
   */
  async drain(): Promise<Left> {
    const signal = AbortSignal.timeout(this.#config.drain.drain_time);
    this.files.stop();
    await this.#tending;
    await this.files.lookAtAll();
    await this.#pipeline.drain(signal);
    await Promise.all([this.#flush(this.#outlet, signal), ...this.#former.values()]);
    let files = 0;
    let bytes = 0;
    for (const { lag } of this.files.all) {
      if (lag === 0) continue;
      files++;
      bytes += lag;
    }
    await this.stop();
    if (files === 0) this.#parts.log.info('everything is shipped');
    else this.#parts.log.error('not everything could be shipped in time', { files, bytes });
    return { files, bytes };
  }

  /** Stops at once, with a checkpoint of what is acknowledged. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.files.stop();
    await this.#pipeline.stop();
    await this.#tending;
    await Promise.all([this.#outlet, ...this.#former.keys()].map((outlet) => outlet.close()));
    await this.#saving;
    await this.#save();
    await this.files.close();
    await this.#lock.release();
  }

  async #flush(outlet: Outlet, signal: AbortSignal): Promise<void> {
    await outlet.flush(signal).catch((error: unknown) => {
      this.#parts.log.error('the output failed', { error });
    });
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      this.#saving = (this.#dirty ? this.#save() : Promise.resolve()).finally(() => {
        if (!this.#stopped) this.#schedule();
      });
    }, this.#config.state.checkpoint_interval);
  }

  async #save(): Promise<void> {
    this.#dirty = false;
    const saved = await this.#checkpoint.save(this.files.positions(), this.#parts.clock.now());
    if (!saved) this.#dirty = true;
  }
}

function filesOptions({ inputs, follow, state }: ReadingConfig): FilesOptions {
  return { inputs, follow, forgetAfter: state.forget_after };
}
