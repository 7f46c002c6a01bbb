import CircuitBreaker from 'opossum';
import { timeLimit, UpstreamError, type LiftLimit } from '../http/index.ts';
import type { ErrorRateBreakerConfig } from './config.ts';

export type BreakerState = 'closed' | 'half_open' | 'open';

/** Why the state changed. */
export type BreakerReason = 'error_rate' | 'time_is_up' | 'probe_succeeded' | 'probe_failed' | 'probe_timeout';

/** Told once what became of a request that was let through. */
export type ReportOutcome = (outcome: 'success' | 'failure' | 'abandoned') => void;

/** A setTimeout of more would ring at once. */
const longestDelay = 2 ** 31 - 1;

/**
 * Refuses requests for a while when too many of the last ones failed, then lets exactly one through to see.
 *
 * opossum keeps the window and the three states. It is told outcomes after the fact instead of being given the requests
 * to run, because for it a call has only two ends, and closing or opening the circuit on behalf of a client that left
 * would both be wrong: `abandoned` counts as neither, and gives the place of the probe back. A probe without outcome
 * after `open_duration` has failed, whatever becomes of it later.
 */
export class ErrorRateBreaker {
  readonly #opossum: CircuitBreaker<[failed: boolean], void>;
  readonly #config: ErrorRateBreakerConfig;
  /** opossum reads the time for which it opens here whenever it opens. */
  readonly #settings: { resetTimeout: number };
  #probing = false;
  #liftProbeLimit: LiftLimit | undefined;
  #reason: BreakerReason | undefined;
  #transitions = 0;
  #probeTimedOut = false;

  /** @param onState told of every change of state */
  constructor(
    name: string,
    config: ErrorRateBreakerConfig,
    onState: (state: BreakerState, reason: BreakerReason) => void = () => {},
  ) {
    this.#config = config;
    const settings = {
      name,
      timeout: false as const,
      errorThresholdPercentage: config.error_threshold_percentage,
      volumeThreshold: config.minimum_requests,
      rollingCountTimeout: config.window,
      resetTimeout: config.open_duration,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
    };
    this.#settings = settings;
    this.#opossum = new CircuitBreaker(outcome, settings);
    const tell = (state: BreakerState, reason: BreakerReason): void => {
      this.#reason = reason;
      this.#transitions++;
      onState(state, reason);
    };
    const longest = Math.min(Math.max(config.open_duration, config.max_open_duration), longestDelay);
    this.#opossum.on('open', () => {
      const wasProbe = this.#reason === 'time_is_up';
      tell('open', !wasProbe ? 'error_rate' : this.#probeTimedOut ? 'probe_timeout' : 'probe_failed');
      // opossum has set its timer already: this is for the time after the next probe.
      settings.resetTimeout = Math.min(settings.resetTimeout * 2, longest);
    });
    this.#opossum.on('halfOpen', () => tell('half_open', 'time_is_up'));
    this.#opossum.on('close', () => {
      tell('closed', 'probe_succeeded');
      settings.resetTimeout = config.open_duration;
    });
  }

  get state(): BreakerState {
    if (this.#opossum.opened) return 'open';
    return this.#opossum.halfOpen ? 'half_open' : 'closed';
  }

  /** Why it is in its state; undefined while it has never changed. */
  get reason(): BreakerReason | undefined {
    return this.#reason;
  }

  /** Changes of state so far. */
  get transitions(): number {
    return this.#transitions;
  }

  /** Milliseconds for which it opens next time. */
  get nextOpening(): number {
    return this.#settings.resetTimeout;
  }

  /** Lets a request through. @throws UpstreamError 503 UO when the circuit is open, or half open with its probe under way */
  enter(): ReportOutcome {
    const state = this.state;
    if (state === 'open' || (state === 'half_open' && this.#probing)) {
      throw new UpstreamError(503, 'UO', 'upstream_circuit_open', { untouched: true });
    }
    const probe = state === 'half_open';
    let reported = false;
    const report: ReportOutcome = (outcome) => {
      if (reported) return;
      reported = true;
      if (probe) this.#liftProbeLimit?.();
      this.#report(probe, outcome);
    };
    if (probe) {
      this.#probing = true;
      this.#probeTimedOut = false;
      this.#liftProbeLimit = timeLimit(this.#config.open_duration, () => {
        this.#probeTimedOut = true;
        report('failure');
      });
    }
    return report;
  }

  /** A response that had been reported good broke later. */
  brokeLater(): void {
    this.#report(false, 'failure');
  }

  close(): void {
    this.#liftProbeLimit?.();
    this.#opossum.shutdown();
  }

  #report(probe: boolean, outcome: 'success' | 'failure' | 'abandoned'): void {
    const settled = () => {
      if (probe) this.#probing = false;
    };
    // What was let through while the circuit was closed says nothing about a circuit that has opened since.
    if (outcome === 'abandoned' || this.#opossum.isShutdown || (!probe && this.state !== 'closed')) return settled();
    this.#opossum.fire(outcome === 'failure').then(settled, settled);
  }
}

class Failed extends Error {}
const failed = new Failed('the request failed');

/** The action that opossum watches: it only repeats what has happened. */
async function outcome(hasFailed: boolean): Promise<void> {
  if (hasFailed) throw failed;
}
