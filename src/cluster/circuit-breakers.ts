import { UpstreamError } from '../http/index.ts';
import type { CircuitBreakersConfig } from './config.ts';
import { RetryBudget } from './retry-budget.ts';

export type Ceiling = 'max_connections' | 'max_pending_requests' | 'max_requests' | 'max_retries';

/** A place under a ceiling. Giving it back twice is harmless. */
export interface Permit {
  release(): void;
}

/** One ceiling and what is taken of it. */
export class Allowance {
  readonly most: number;
  readonly #changed: (by: 1 | -1) => void;
  #used = 0;

  constructor(most: number, changed: (by: 1 | -1) => void = () => {}) {
    this.most = most;
    this.#changed = changed;
  }

  get used(): number {
    return this.#used;
  }

  /** A ceiling of fixed height does not care. */
  firstTry(): void {}

  /** Takes a place, if there is one, for who gives it back by exactly one {@link leave}. */
  enter(): boolean {
    if (this.#used >= this.most) return false;
    this.#used++;
    this.#changed(1);
    return true;
  }

  leave(): void {
    this.#used--;
    this.#changed(-1);
  }

  take(): Permit | undefined {
    if (!this.enter()) return undefined;
    let held = true;
    return {
      release: () => {
        if (!held) return;
        held = false;
        this.leave();
      },
    };
  }
}

/** The four ceilings of a cluster: what may be under way at a time. They limit concurrency, not errors. */
export interface CircuitBreakers extends Readonly<Record<Exclude<Ceiling, 'max_retries'>, Allowance>> {
  readonly max_retries: Allowance | RetryBudget;
}

/**
 * @param changed told of every permit taken (1) or given back (-1)
 * @param now milliseconds of a clock that never jumps
 */
export function createCircuitBreakers(
  config: CircuitBreakersConfig,
  changed: (ceiling: Ceiling, by: 1 | -1) => void = () => {},
  now: () => number = () => performance.now(),
): CircuitBreakers {
  const allowance = (ceiling: Ceiling, most: number) => new Allowance(most, (by) => changed(ceiling, by));
  const requests = allowance('max_requests', config.max_requests);
  return {
    max_connections: allowance('max_connections', config.max_connections),
    max_pending_requests: allowance('max_pending_requests', config.max_pending_requests),
    max_requests: requests,
    max_retries:
      config.max_retries === undefined
        ? new RetryBudget(config.retry_budget, () => requests.used, now)
        : allowance('max_retries', config.max_retries),
  };
}

export function overflow(ceiling: Ceiling, endpoint?: string): UpstreamError {
  return new UpstreamError(503, 'UO', `upstream_overflow{${ceiling}}`, { untouched: true, endpoint });
}
