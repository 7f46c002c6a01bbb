/** `shed`: new exchanges are refused. `refuse`: new connections as well. */
export type Level = 'ok' | 'shed' | 'refuse';

/** Values from which a level holds; Infinity is never. */
export interface Thresholds {
  readonly shed: number;
  readonly refuse: number;
}

/** A level is left below this share of its threshold, so that a value near it does not flap. */
const leaveAt = 0.97;

/** @param before the level that the last value had */
export function levelOf(value: number, { shed, refuse }: Thresholds, before: Level): Level {
  if (value >= (before === 'refuse' ? refuse * leaveAt : refuse)) return 'refuse';
  return value >= (before === 'ok' ? shed : shed * leaveAt) ? 'shed' : 'ok';
}
