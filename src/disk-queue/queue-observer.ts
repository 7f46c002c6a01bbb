/**
 * `stored`: it will be read, also after a crash. `too_large`: larger than a quarter of the queue. `failed`: the disk refused it,
 * and {@link QueueObserver.failed} was told why. `closed`: the queue was closed before.
 */
export type AppendOutcome = 'stored' | 'too_large' | 'failed' | 'closed';

/** Told of what goes wrong. */
export interface QueueObserver {
  /** Records that were given up for newer ones before anybody had read them. */
  dropped(records: number): void;
  /** Records that are not on the disk as they were written, or not at all. */
  damaged(records: number): void;
  /** Bytes at the end that a crash has left of a record whose writer was never told that it is stored. */
  torn(bytes: number): void;
  /** The disk refused to take something: full, read-only, broken. */
  failed(error: NodeJS.ErrnoException): void;
  /** The queue has reached its bytes, and those who append wait. */
  full(): void;
  /** Names of files in the folder that are not of this queue, or of another version's: they are left alone and do not count. */
  foreign(names: readonly string[]): void;
}
