import { hash } from 'node:crypto';
import type { FilterPeers, FilterTimers } from 'portico';

/** Milliseconds for which takes are gathered before the others hear of them. */
const gatherTime = 10;
/** Keys that are told at once; many more in so short a time come from clients who take one token each. */
const mostKeys = 10_000;
/** Longer keys are told by their hash. */
const longestKey = 128;

/** Key, tokens, key, tokens … */
type Takes = readonly (string | number)[];

/**
 * Workers limit together: each decides by itself, at once, and tells the others soon after what it has let pass, which they
 * take out of their own buckets too. A bucket may come to owe tokens by that, when several workers have given the last
 * one at the same time, and then gives none until the debt is paid: so what passes over any longer time is exact, and a
 * burst is too large at most by what the other workers can let pass in {@link gatherTime}.
 */
export class SharedTakes {
  readonly #peers: FilterPeers;
  readonly #timers: FilterTimers;
  #gathered = new Map<string, number>();
  #due = false;
  readonly #stop: () => void;

  /** @param heard told what another worker has let pass */
  constructor(peers: FilterPeers, timers: FilterTimers, heard: (key: string, tokens: number) => void) {
    this.#peers = peers;
    this.#timers = timers;
    this.#stop = peers.listen((message) => {
      const takes = message as Takes;
      for (let at = 0; at < takes.length; at += 2) heard(takes[at] as string, takes[at + 1] as number);
    });
  }

  /** The key by which all workers know a bucket. */
  static keyOf(key: string): string {
    return key.length <= longestKey ? key : hash('sha256', key, 'base64');
  }

  took(key: string): void {
    const before = this.#gathered.get(key);
    if (before === undefined && this.#gathered.size >= mostKeys) return;
    this.#gathered.set(key, (before ?? 0) + 1);
    if (this.#due) return;
    this.#due = true;
    this.#timers.after(gatherTime, () => this.#tell());
  }

  close(): void {
    this.#stop();
  }

  #tell(): void {
    this.#due = false;
    // What cannot be told now is told with what comes next.
    if (this.#peers.tell([...this.#gathered].flat() satisfies Takes)) this.#gathered = new Map();
  }
}
