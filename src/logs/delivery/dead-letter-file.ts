import { createReadStream } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../filter/define-filter.ts';
import type { LogRecord } from '../record.ts';
import { backoff } from './backoff.ts';
import type { DeadLetterConfig } from './config.ts';
import type { DeliveryStats } from './delivery-stats.ts';
import { timestamp } from './document.ts';
import { RotatingFile } from './rotating-file.ts';
import type { FileTurns } from './file-turns.ts';
import type { SeldomLog } from './seldom-log.ts';

export interface DeadLetter {
  readonly record: LogRecord;
  readonly reason: string;
}

export interface DeadLetterParts {
  readonly clock: Clock;
  readonly stats: DeliveryStats;
  readonly log: SeldomLog;
  /** From 0 up to 1. */
  readonly random: () => number;
  /** Shared with whoever may write the same file. */
  readonly turns: FileTurns;
}

const pauses = { base: 500, max: 10_000 };
const longestReason = 2000;

/**
 * Where records go that no store takes: a line each with the reason, for a person to look at and perhaps to send again. What
 * cannot be written here is not given up: delivery waits until it can.
 */
export class DeadLetterFile {
  readonly #file: RotatingFile | undefined;
  readonly #path: string;
  readonly #turns: FileTurns;
  readonly #clock: Clock;
  readonly #stats: DeliveryStats;
  readonly #log: SeldomLog;
  readonly #random: () => number;
  /** Lanes write one after the other. */
  #last: Promise<void> = Promise.resolve();
  #blocked = false;

  constructor(config: DeadLetterConfig | undefined, { clock, stats, log, random, turns }: DeadLetterParts) {
    this.#clock = clock;
    this.#stats = stats;
    this.#log = log;
    this.#random = random;
    this.#turns = turns;
    this.#path = config?.path ?? '';
    if (config === undefined) return;
    const { path, max_bytes: maxBytes, keep } = config;
    const onLose = async (oldest: string) => this.#stats.drop('dead_letter_rotated', await countLines(oldest));
    this.#file = new RotatingFile({ path, maxBytes, keep, onLose });
  }

  /** Whether delivery waits because the file cannot be written. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** Resolves when the records are on the disk. @throws the signal's reason, nothing else */
  put(letters: readonly DeadLetter[], signal: AbortSignal): Promise<void> {
    const put = this.#last.then(() => this.#put(letters, signal));
    this.#last = put.catch(() => {});
    return put;
  }

  async close(): Promise<void> {
    await this.#last;
    if (this.#file !== undefined) await this.#turns.leave(this.#path, this.#file);
  }

  async #put(letters: readonly DeadLetter[], signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#stats.reject(letters.length);
    const fields = { records: letters.length, reason: letters[0]?.reason };
    if (this.#file === undefined) {
      this.#stats.drop('rejected', letters.length);
      this.#log.say(
        'error',
        'rejected',
        'the store refused records, which are lost: there is no dead_letter file',
        fields,
      );
      return;
    }
    this.#log.say('warn', 'rejected', 'the store refused records; they are in the dead-letter file', fields);
    const time = new Date(this.#clock.now()).toISOString();
    const bytes = Buffer.from(letters.map((letter) => lineOf(letter, time)).join(''));
    const file = this.#file;
    for (let failures = 1; ; failures++) {
      try {
        await this.#turns.take(this.#path, file, () => file.append(bytes));
        this.#blocked = false;
        return;
      } catch (error) {
        this.#blocked = true;
        this.#stats.blocked.add();
        this.#log.say('error', 'dead_letter', 'the dead-letter file cannot be written; delivery waits for it', {
          reason: (error as Error).message,
        });
      }
      await sleep(backoff(failures, pauses, this.#random()), undefined, { signal });
    }
  }
}

function lineOf({ record, reason }: DeadLetter, time: string): string {
  const { source, start, end, fields } = record;
  const known = {
    time,
    reason: reason.slice(0, longestReason),
    source: source.key,
    path: source.path,
    input: source.input,
    offset: start,
    end,
    timestamp: timestamp(record),
  };
  try {
    return `${JSON.stringify({ ...known, record: fields })}\n`;
  } catch {
    // Source and offset say where the record can be found.
    return `${JSON.stringify({ ...known, record: null })}\n`;
  }
}

async function countLines(path: string): Promise<number> {
  let lines = 0;
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Uint8Array>) {
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines++;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return lines;
}
