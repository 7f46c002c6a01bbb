import type { KeySet } from './key-set.ts';

/** Where a provider's keys come from. */
export interface KeySource {
  /** The keys to use now; undefined while there are none. */
  current(): KeySet | undefined;
  /** Waits for the first keys if they are being fetched right now; undefined when waiting would not help. */
  arriving(): Promise<void> | undefined;
  /** A key is missing: looks for newer keys, within limits, until `found` answers true or newer keys do not have it either. */
  lookAgain(found: (keys: KeySet) => boolean): Promise<void>;
  /** Whole seconds after which asking again makes sense, at least 1. */
  retryAfter(): number;
  start(): void;
  close(): void;
}

/** Keys of the configuration: they are there, and do not change. */
export function fixedKeys(keys: KeySet): KeySource {
  return {
    current: () => keys,
    arriving: () => undefined,
    lookAgain: () => Promise.resolve(),
    retryAfter: () => 1,
    start() {},
    close() {},
  };
}
