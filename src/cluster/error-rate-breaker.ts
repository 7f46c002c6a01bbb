import CircuitBreaker from 'opossum';
import { UpstreamError } from '../http/index.ts';
import type { ErrorRateBreakerConfig } from './config.ts';

export type BreakerState = 'closed' | 'half_open' | 'open';

/** Told once what became of a request that was let through. */
export type ReportOutcome = (outcome: 'success' | 'failure' | 'abandoned') => void;

/**
 * Refuses requests for a while when too many of the last ones failed, then lets exactly one through to see.
 *
 * opossum keeps the window and the three states. It is told outcomes after the fact instead of being given the requests
 * to run, because for it a call has only two ends, and closing or opening the circuit on behalf of a client that left
 * would both be wrong: `abandoned` counts as neither, and gives the place of the probe back.
 */
export class ErrorRateBreaker {
  readonly #opossum: CircuitBreaker<[failed: boolean], void>;
  #probing = false;

  /** @param onState told of every change of state */
  constructor(name: string, config: ErrorRateBreakerConfig, onState: (state: BreakerState) => void = () => {}) {
    this.#opossum = new CircuitBreaker(outcome, {
      name,
      timeout: false,
      errorThresholdPercentage: config.error_threshold_percentage,
      volumeThreshold: config.minimum_requests,
      rollingCountTimeout: config.window,
      resetTimeout: config.open_duration,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
    });
    this.#opossum.on('open', () => onState('open'));
    this.#opossum.on('halfOpen', () => onState('half_open'));
    this.#opossum.on('close', () => onState('closed'));
  }

  get state(): BreakerState {
    if (this.#opossum.opened) return 'open';
    return this.#opossum.halfOpen ? 'half_open' : 'closed';
  }

  /** Lets a request through. @throws UpstreamError 503 UO when the circuit is open, or half open with its probe under way */
  enter(): ReportOutcome {
    const state = this.state;
    if (state === 'open' || (state === 'half_open' && this.#probing)) {
      throw new UpstreamError(503, 'UO', 'upstream_circuit_open', { untouched: true });
    }
    const probe = state === 'half_open';
    if (probe) this.#probing = true;
    let reported = false;
    return (outcome) => {
      if (reported) return;
      reported = true;
      this.#report(probe, outcome);
    };
  }

  /** A response that had been reported good broke later. */
  brokeLater(): void {
    this.#report(false, 'failure');
  }

  close(): void {
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
