/** Milliseconds. */
const first = 100;
const longest = 10_000;

/** Milliseconds for which a worker must have lived for its end to count as the first one again. */
export const longLife = 30_000;

/** Milliseconds to wait before a worker is replaced: it is the last of so many in a row (at least 1) that did not live long. */
export function restartDelay(times: number): number {
  return Math.min(first * 2 ** (times - 1), longest);
}
