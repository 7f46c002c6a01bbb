import type { MetricFamily } from './family.ts';

/** Where families of the page come from beside the scraped apps. */
export interface FamilySource {
  readonly name: string;
  /** @param now milliseconds since 1970 */
  families(now: number): readonly MetricFamily[] | Promise<readonly MetricFamily[]>;
  close(): Promise<void>;
}

/** All families at one time. */
export interface Snapshot {
  readonly families: readonly MetricFamily[];
  /** Milliseconds since 1970. */
  readonly at: number;
}
