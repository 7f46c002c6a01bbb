import { errorCode, frameFault, type FrameFault } from '../../http2/index.ts';
import { FloodGuard } from './flood-guard.ts';
import { OverheadBudget } from './overhead-budget.ts';

/** CVE-2023-44487, CVE-2025-8671: streams that are reset before their answer cost us a request and the client nothing. */
const mostResets = 100;
const resetWindow = 30_000;
/** CVE-2019-9512, CVE-2019-9515: PING and SETTINGS must be answered, one by one. */
const mostControlFrames = 100;
const controlWindow = 10_000;

/** CVE-2016-6581: heads far above the limits count as so many resets. */
export const bombWeight = 11;
/** Frames of no use that a stream may bring, and those that a DATA frame which we send may be answered with. */
const perStream = 10;
const perDataFrame = 10;

const { ENHANCE_YOUR_CALM } = errorCode;
const rapidReset = frameFault(ENHANCE_YOUR_CALM, 'http2_rapid_reset');
const controlFlood = frameFault(ENHANCE_YOUR_CALM, 'http2_control_flood');
const overheadFlood = frameFault(ENHANCE_YOUR_CALM, 'http2_overhead_flood');

/** What one connection may do that costs us more than it costs the client. Each answers the fault once it is too much. */
export class Budgets {
  readonly #resets = new FloodGuard(mostResets, resetWindow);
  readonly #control = new FloodGuard(mostControlFrames, controlWindow);
  readonly #overhead: OverheadBudget;
  #dataFrames = 0;

  /** @param now monotonic milliseconds, as in all of these */
  constructor(now: number) {
    this.#overhead = new OverheadBudget(now);
  }

  /** A stream was reset, by whomever, before its answer, or for what the client sent. */
  reset(now: number, weight = 1): FrameFault | undefined {
    return this.#resets.spend(now, weight) ? rapidReset : undefined;
  }

  control(now: number): FrameFault | undefined {
    return this.#control.spend(now) ? controlFlood : undefined;
  }

  /** @param dataFrames sent so far on this connection */
  overhead(now: number, dataFrames: number): FrameFault | undefined {
    this.#overhead.earn(perDataFrame * (dataFrames - this.#dataFrames));
    this.#dataFrames = dataFrames;
    return this.#overhead.spend(now) ? overheadFlood : undefined;
  }

  streamOpened(): void {
    this.#overhead.earn(perStream);
  }
}
