import type { MetricFamily } from './family.ts';

/** All families of one time. */
export interface Snapshot {
  readonly families: readonly MetricFamily[];
  /** Milliseconds since 1970. */
  readonly at: number;
}
