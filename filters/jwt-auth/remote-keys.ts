import type { Clock, FetchResult, FilterLog, FilterTimers } from 'portico';
import type { KeySet } from './key-set.ts';
import type { KeySource } from './key-source.ts';

export interface RemoteKeysOptions {
  /** For the log. */
  readonly uri: string;
  /** One GET of the key set: no redirects, within time and size limits. */
  readonly fetch: (signal: AbortSignal) => Promise<FetchResult>;
  /** @throws Error when the answer is not a set to use */
  readonly read: (bytes: Uint8Array) => Promise<KeySet>;
  /** Called when another set takes the place of the present one, or there are no keys any more. */
  readonly changed: (keys: KeySet | undefined) => void;
  /** Milliseconds: how long keys are fresh; how long they are used beyond that; least time between fetches for unknown keys. */
  readonly cacheDuration: number;
  readonly staleFor: number;
  readonly cooldown: number;
  readonly clock: Clock;
  readonly timers: FilterTimers;
  readonly log: FilterLog;
  readonly stats: RemoteKeysStats;
  /** From 0 up to 1. */
  readonly random: () => number;
}

export interface RemoteKeysStats {
  readonly fetched: () => void;
  readonly failed: () => void;
  /** +1 when keys begin to be used beyond their time, -1 when that ends. */
  readonly stale: (change: 1 | -1) => void;
}

/** Requests that may wait at once for a key nobody has seen: a flood of made-up key names must not fill the memory. */
const mostWaiting = 1000;
const firstBackoff = 1000;
const longestBackoff = 30_000;

/**
 * A key set behind a URL. It is fetched once at the start and again in the background before it grows old, so requests
 * wait for it only before the first answer. One fetch at a time, whoever asks. When fetching fails, the next try waits 1 s,
 * 2 s … 30 s, and the keys at hand serve on for `staleFor`; an answer that is no usable set counts as a failure. A token by
 * an unknown key causes a fetch at most once per `cooldown`, and waits for it: right after a rotation nobody is refused.
 * All scheduling is by the monotonic clock.
 */
export class RemoteKeys implements KeySource {
  readonly #options: RemoteKeysOptions;
  #keys: KeySet | undefined;
  /** Start of the last fetch, and of the last one that worked; monotonic milliseconds. */
  #started = -Infinity;
  #fetched = -Infinity;
  /** Fetches failed since one worked. */
  #failures = 0;
  #fetching: AbortController | undefined;
  #nextAt = Infinity;
  #cancelNext = () => {};
  #cancelDrop = () => {};
  #stale = false;
  #closed = false;
  /** Called when the fetch that runs, or else the next one, is over. */
  #waiting: (() => void)[] = [];

  constructor(options: RemoteKeysOptions) {
    this.#options = options;
  }

  current(): KeySet | undefined {
    return this.#keys;
  }

  arriving(): Promise<void> | undefined {
    // After a failure an answer at once is better than one after the next timeout.
    return this.#keys === undefined && this.#failures === 0 && this.#fetching !== undefined
      ? this.#nextEnd()
      : undefined;
  }

  async lookAgain(found: (keys: KeySet) => boolean): Promise<void> {
    const asked = this.#options.clock.monotonic();
    while (!this.#closed && this.#failures === 0 && this.#waiting.length < mostWaiting) {
      const end = this.#nextEnd();
      if (this.#fetching === undefined) {
        const due = this.#started + this.#options.cooldown;
        const delay = due - this.#options.clock.monotonic();
        if (delay <= 0) this.#fetch();
        else if (due < this.#nextAt) this.#schedule(delay);
      }
      await end;
      // A fetch that was under way when the request came may have left before the key was published: one more then.
      if (this.#started >= asked || (this.#keys !== undefined && found(this.#keys))) return;
    }
  }

  retryAfter(): number {
    if (this.#fetching !== undefined) return 1;
    const seconds = Math.ceil((this.#nextAt - this.#options.clock.monotonic()) / 1000);
    return Math.min(Math.max(1, seconds), longestBackoff / 1000);
  }

  start(): void {
    this.#fetch();
  }

  close(): void {
    this.#closed = true;
    this.#cancelNext();
    this.#cancelDrop();
    this.#fetching?.abort(new Error('the filter was closed'));
    this.#markStale(false);
    this.#wake();
  }

  #nextEnd(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  #schedule(delay: number): void {
    this.#cancelNext();
    if (this.#closed) return;
    this.#nextAt = this.#options.clock.monotonic() + delay;
    this.#cancelNext = this.#options.timers.after(delay, () => this.#fetch());
  }

  #fetch(): void {
    if (this.#closed || this.#fetching !== undefined) return;
    this.#cancelNext();
    this.#nextAt = Infinity;
    this.#started = this.#options.clock.monotonic();
    this.#options.stats.fetched();
    const abort = (this.#fetching = new AbortController());
    void this.#download(abort.signal)
      .then(
        (keys) => this.#accept(keys),
        (error: unknown) => this.#reject(error),
      )
      .finally(() => {
        this.#fetching = undefined;
        this.#wake();
      });
  }

  async #download(signal: AbortSignal): Promise<KeySet> {
    const answer = await this.#options.fetch(signal);
    if (answer.status !== 200) throw new Error(`the answer has status ${answer.status}, not 200`);
    return this.#options.read(answer.body);
  }

  #accept(keys: KeySet): void {
    if (this.#closed) return;
    const { cacheDuration, staleFor, clock, timers, changed, random, log, uri } = this.#options;
    const recovered = this.#failures > 0;
    this.#failures = 0;
    this.#fetched = this.#started;
    this.#markStale(false);
    if (this.#keys === undefined || !this.#keys.equals(keys)) {
      this.#keys = keys;
      if (keys.skipped.length > 0) log.info(`keys of ${uri} were left out`, { reasons: keys.skipped.slice(0, 5) });
      changed(keys);
    }
    if (recovered) log.info(`keys of ${uri} can be fetched again`);
    const age = clock.monotonic() - this.#fetched;
    this.#cancelDrop();
    this.#cancelDrop = timers.after(Math.max(0, cacheDuration + staleFor - age), () => this.#drop());
    // Before they are old, and not when everybody else who started with us does.
    this.#schedule(Math.max(firstBackoff / 2, cacheDuration * (0.8 + 0.1 * random()) - age));
  }

  #reject(error: unknown): void {
    if (this.#closed) return;
    const { cacheDuration, clock, random, log, uri, stats } = this.#options;
    this.#failures++;
    stats.failed();
    if (this.#keys !== undefined && clock.monotonic() - this.#fetched >= cacheDuration) this.#markStale(true);
    const backoff = Math.min(longestBackoff, firstBackoff * 2 ** Math.min(this.#failures - 1, 10));
    const delay = Math.min(longestBackoff, backoff * (1 + 0.5 * random()));
    log.warn(`keys of ${uri} could not be fetched: ${error instanceof Error ? error.message : String(error)}`, {
      failures: this.#failures,
      next_try_in_ms: Math.round(delay),
      using: this.#keys === undefined ? 'none' : 'the keys fetched before',
    });
    this.#schedule(delay);
  }

  /** The keys are too old: what they signed may have been withdrawn long ago. */
  #drop(): void {
    this.#keys = undefined;
    this.#markStale(false);
    this.#options.log.error(`keys of ${this.#options.uri} are too old to be used any longer`);
    this.#options.changed(undefined);
  }

  #markStale(stale: boolean): void {
    if (this.#stale === stale) return;
    this.#stale = stale;
    this.#options.stats.stale(stale ? 1 : -1);
  }
}
