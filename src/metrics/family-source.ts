import type { Clock } from '../filter/define-filter.ts';
import type { ProcessLog } from '../process-log.ts';
import type { Stats } from '../stats/index.ts';
import type { MetricFamily } from './family.ts';

/** Something that yields metrics besides what the app exposes itself. */
export interface FamilySource {
  readonly name: string;
  /**
   * What there is to say now; families of different sources have different names. Never throws or rejects.
   * @param now milliseconds since 1970
   */
  families(now: number): readonly MetricFamily[] | Promise<readonly MetricFamily[]>;
  /** Ends timers and connections. */
  close(): Promise<void>;
}

/** What a source is created with, next to its configuration. */
export interface FamilySourceDeps {
  readonly log: ProcessLog;
  readonly stats: Stats;
  readonly clock: Clock;
  /** From 0 inclusive to 1 exclusive. */
  random(): number;
}
