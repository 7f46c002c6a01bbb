/**
 * `stored`: it will be read, also after a crash. `too_large`: larger than a quarter of the queue. `failed`: the disk refused it,
 * and {@link QueueObserver.failed} was told why. `closed`: the queue was closed before.
 */
export type AppendOutcome = 'stored' | 'too_large' | 'failed' | 'closed';

/** Told of what goes wrong. */
export interface QueueObserver {
  /** Records that were given up for newer ones. */
  dropped(records: number): void;
  /** Records that are not on the disk as they were written, or not at all. */
  damaged(records: number): void;
  /** Bytes at the end that a crash has left of a record whose writer was never told that it is stored. */
  torn(bytes: number): void;
  /** The disk refused to take something: full, read-only, broken. */
  failed(error: NodeJS.ErrnoException): void;
}
