import { readPartialSuccess } from '../../otlp/index.ts';
import type { FamilySourceDeps } from '../family-source.ts';
import { TellOnce } from '../tell-once.ts';
import { countSamples, readBatch, splitIntoBatches, writeBatch, type Batch, type BatchFamily } from './batch.ts';
import type { OutputConfig } from './config.ts';
import { judgeAnswer, pause, type PushVerdict } from './judge-answer.ts';
import type { PushQueue } from './memory-queue.ts';
import type { PushStats } from './push-stats.ts';
import type { RemoteWriteVersion } from './remote-write.ts';
import { sendBatch } from './send-batch.ts';
import { SeriesLedger } from './series-ledger.ts';
import type { Snapshot } from './snapshot.ts';

export type PushDeps = Pick<FamilySourceDeps, 'log' | 'stats' | 'clock' | 'random'>;

/** What an output begins with; all but the queue is of one that it takes the place of. */
export interface PushInheritance {
  readonly queue: PushQueue;
  /** Knows the series, when they are the same for both. */
  readonly ledger?: SeriesLedger | undefined;
  /** Resolves when all that was offered to the former one is in the queue. */
  readonly stored?: Promise<void>;
  /** Resolves when the former one reads the queue no more. */
  readonly left?: Promise<void>;
}

/** Delivers snapshots to one receiver, one batch after the other, so that the samples of a series arrive in their order. */
export class PushOutput {
  readonly #config: OutputConfig;
  readonly #deps: PushDeps;
  readonly #queue: PushQueue;
  readonly #stats: PushStats;
  readonly #once: TellOnce;
  readonly #ledger: SeriesLedger;
  readonly #stop = new AbortController();
  readonly #delivering: Promise<void>;
  #version: RemoteWriteVersion;
  /** Appends go one after the other: a queue that blocks holds the next one back. */
  #storing: Promise<void>;
  #offering = false;
  #ending = false;
  #hasSuccessor = false;
  /** Ends the wait for something to deliver. */
  #wake: () => void = () => {};

  constructor(config: OutputConfig, deps: PushDeps, inheritance: PushInheritance, stats: PushStats) {
    const { queue, ledger, stored, left } = inheritance;
    this.#config = config;
    this.#deps = deps;
    this.#queue = queue;
    this.#storing = stored ?? Promise.resolve();
    this.#stats = stats;
    this.#once = new TellOnce(deps.log);
    this.#version = config.version;
    this.#ledger = ledger ?? new SeriesLedger(labelsOf(config));
    this.#delivering = left === undefined ? this.#deliver() : left.then(() => this.#deliver());
  }

  get hasSuccessor(): boolean {
    return this.#hasSuccessor;
  }

  /**
   * Ends in favour of an output that goes on where this one stops. What is under way is called off and sent again: a receiver may see it
   * twice.
   */
  handOver(to: OutputConfig): PushInheritance {
    this.#hasSuccessor = true;
    const isSame = JSON.stringify(labelsOf(to)) === JSON.stringify(labelsOf(this.#config));
    if (!isSame) void this.#store(this.#ledger.end(this.#deps.clock.now()));
    this.#stop.abort();
    this.#wake();
    const left = this.#delivering.then(() => this.#queue.rewind());
    return { queue: this.#queue, ledger: isSame ? this.#ledger : undefined, stored: this.#storing, left };
  }

  /**
   * Resolves when all of it waits in the queue, or was counted as dropped. A snapshot that comes while an earlier one still waits for
   * room is left out as a whole: snapshots that pile up in memory are what the bounds of the queue are there to prevent.
   */
  async offer(snapshot: Snapshot): Promise<void> {
    if (this.#offering) {
      this.#stats.dropped('queue_full').add();
      return;
    }
    this.#offering = true;
    await this.#store(this.#ledger.take(snapshot));
    this.#offering = false;
  }

  /**
   * Ends all series, tries for a while to deliver what waits, and leaves the rest to the queue.
   * @returns how many batches are lost, because the queue ends with the process
   */
  async close(): Promise<number> {
    const limit = setTimeout(() => this.#stop.abort(), this.#config.close_timeout);
    const stored = this.#store(this.#ledger.end(this.#deps.clock.now()));
    // A queue that blocks may not have room before the end.
    await Promise.race([stored, aborted(this.#stop.signal)]);
    this.#ending = true;
    this.#wake();
    await this.#delivering;
    clearTimeout(limit);
    this.#stop.abort();
    const lost = this.#config.queue === undefined ? this.#queue.depth.records : 0;
    await this.#queue.close();
    return lost;
  }

  #store(families: readonly BatchFamily[]): Promise<void> {
    this.#storing = this.#storing.then(async () => {
      for (const batch of splitIntoBatches(families, this.#config.max_samples_per_send)) {
        const outcome = await this.#queue.append(writeBatch(batch));
        if (outcome === 'too_large') this.#stats.dropped('too_large').add();
        else if (outcome === 'failed') this.#stats.dropped('disk').add();
        this.#showDepth();
      }
    });
    return this.#storing;
  }

  async #deliver(): Promise<void> {
    for (let failures = 0; !this.#stop.signal.aborted;) {
      let record;
      try {
        record = await this.#queue.next();
        failures = 0;
      } catch (error) {
        this.#once.warn('read', 'the disk does not give the queue', this.#about((error as Error).message));
        await sleep(pause(++failures, undefined, this.#config, this.#deps.random()), this.#stop.signal);
        continue;
      }
      if (record === undefined) {
        if (this.#ending) return;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
          void this.#queue.arrival().then(resolve);
        });
        continue;
      }
      const batch = readBatch(record.bytes);
      if (batch === undefined) this.#stats.dropped('damaged').add();
      else if (!(await this.#deliverOne(batch))) return;
      this.#queue.acknowledge(record.sequence);
      this.#showDepth();
    }
  }

  /** @returns false when it was stopped before the batch was settled */
  async #deliverOne(batch: Batch): Promise<boolean> {
    for (let failures = 0; ;) {
      const verdict = await this.#attempt(batch);
      if (this.#stop.signal.aborted && verdict.kind !== 'delivered') return false;
      switch (verdict.kind) {
        case 'delivered':
          this.#once.well('retry');
          this.#stats.sent.add(countSamples(batch));
          return true;
        case 'drop':
          this.#stats.dropped('refused').add();
          this.#once.warn('drop', 'the receiver refuses metrics: they are dropped', this.#about(verdict.reason));
          return true;
        case 'downgrade':
          this.#version = '1.0';
          this.#deps.log.info('the receiver does not take remote write 2.0: going on with 1.0', this.#about());
          break;
        case 'retry': {
          failures++;
          this.#stats.failed.add();
          this.#once.warn('retry', 'metrics cannot be pushed at the moment', this.#about(verdict.reason));
          await sleep(pause(failures, verdict.after, this.#config, this.#deps.random()), this.#stop.signal);
          if (this.#stop.signal.aborted) return false;
        }
      }
    }
  }

  async #attempt(batch: Batch): Promise<PushVerdict> {
    const { protocol } = this.#config;
    try {
      const { status, headers, body } = await sendBatch(this.#config, batch, this.#version, this.#stop.signal);
      const written = headers['x-prometheus-remote-write-samples-written']?.toString();
      if (written !== undefined && /^\d{1,9}$/.test(written)) this.#stats.written.add(Number(written));
      if (protocol === 'otlp_http' && status === 200) {
        const answer = { body, contentType: headers['content-type'] };
        const { rejected } = readPartialSuccess(answer, this.#config.encoding, 'rejectedDataPoints');
        this.#stats.rejected.add(Math.min(rejected, countSamples(batch)));
      }
      const mayDowngrade = protocol === 'remote_write' && this.#version === '2.0';
      return judgeAnswer({ status, retryAfter: headers['retry-after'], written }, this.#deps.clock.now(), mayDowngrade);
    } catch (error) {
      return { kind: 'retry', after: undefined, reason: (error as Error).message };
    }
  }

  #about(reason?: string): Record<string, unknown> {
    return { output: this.#config.name, ...(reason !== undefined && { reason }) };
  }

  #showDepth(): void {
    const { records, bytes } = this.#queue.depth;
    this.#stats.waiting.set(records);
    this.#stats.waitingBytes.set(bytes);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/** Labels of all series. With OTLP they are attributes of the resource. */
function labelsOf({ protocol, external_labels: labels }: OutputConfig): Readonly<Record<string, string>> {
  return protocol === 'otlp_http' ? {} : labels;
}

function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
  });
}
