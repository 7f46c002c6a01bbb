import type { MetricFamily } from '../family.ts';

/** All metrics of one moment. */
export interface Snapshot {
  readonly families: readonly MetricFamily[];
  /** Milliseconds since 1970. */
  readonly at: number;
}
