/** Milliseconds from one look to the next, however often the kernel tells of changes: what was written by then is read together. */
const hintGap = 50;

/** Milliseconds: two changes that are nearer to each other may leave a file with the same time, and with the same size. */
const coarseness = 100;

/** Milliseconds: files that stand still are looked at this often. */
const longestInterval = 2000;

/**
 * live: at its path. rotated: at no path that we know, while somebody may still write. deleted: at none at all.
 * read: nothing more will be read; what is under way is not acknowledged yet. closed: over.
 */
export type FileState = 'live' | 'rotated' | 'deleted' | 'read' | 'closed';

export interface Looked {
  readonly state: FileState;
  /** Times that never jump, in milliseconds: of the last look, and of the last one that found it changed. */
  readonly lastLook: number;
  readonly lastGrowth: number;
}

/** When a file is looked at next: the longer it stands still, the later. @param poll milliseconds */
export function nextLook({ state, lastLook, lastGrowth }: Looked, poll: number): number {
  const still = lastLook - lastGrowth;
  return lastLook + (state === 'live' ? Math.min(Math.max(poll, still / 10), Math.max(poll, longestInterval)) : poll);
}

/** When it is looked at next, now that the kernel has told of a change. */
export function hintedLook(planned: number, lastLook: number, poll: number): number {
  return Math.min(planned, lastLook + Math.min(hintGap, poll));
}

/** What a look has found. */
export interface Sight {
  readonly size: number;
  /** Nanoseconds since 1970: the last change, as the file system says it. */
  readonly changed: bigint;
}

/**
 * Whether there may be something to read.
 * @param before `settled` when its last change had been long enough ago for its time to be believed
 * @param waiting something waits for its end or for its time, so that reading is for more than bytes
 */
export function isWorthReading(
  seen: Sight,
  before: Sight & { readonly settled: boolean },
  state: FileState,
  waiting: boolean,
): boolean {
  return isChanged(seen, before) || waiting || state !== 'live' || !before.settled;
}

export function isChanged(seen: Sight, before: Sight): boolean {
  return seen.size !== before.size || seen.changed !== before.changed;
}

/** Whether the last change is long enough ago for its time to be believed. @param now milliseconds since 1970 */
export function isSettled({ changed }: Sight, now: number): boolean {
  return now - Number(changed / 1_000_000n) > coarseness;
}

/** What the end of a file means. @param still milliseconds for which nothing came */
export function endingOf(state: FileState, still: number, rotateWait: number): 'due' | 'read' {
  return state !== 'live' && still >= rotateWait ? 'read' : 'due';
}
