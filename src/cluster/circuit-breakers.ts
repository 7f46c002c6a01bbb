import { UpstreamError } from '../http/index.ts';
import type { CircuitBreakersConfig } from './config.ts';

export type Ceiling = keyof CircuitBreakersConfig;

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

  take(): Permit | undefined {
    if (this.#used >= this.most) return undefined;
    this.#used++;
    this.#changed(1);
    let held = true;
    return {
      release: () => {
        if (!held) return;
        held = false;
        this.#used--;
        this.#changed(-1);
      },
    };
  }
}

/** The four ceilings of a cluster: what may be under way at a time. They limit concurrency, not errors. */
export type CircuitBreakers = Readonly<Record<Ceiling, Allowance>>;

/** @param changed told of every permit taken (1) or given back (-1) */
export function createCircuitBreakers(
  config: CircuitBreakersConfig,
  changed: (ceiling: Ceiling, by: 1 | -1) => void = () => {},
): CircuitBreakers {
  const allowance = (ceiling: Ceiling) => new Allowance(config[ceiling], (by) => changed(ceiling, by));
  return {
    max_connections: allowance('max_connections'),
    max_pending_requests: allowance('max_pending_requests'),
    max_requests: allowance('max_requests'),
    max_retries: allowance('max_retries'),
  };
}

export function overflow(ceiling: Ceiling, endpoint?: string): UpstreamError {
  return new UpstreamError(503, 'UO', `upstream_overflow{${ceiling}}`, { untouched: true, endpoint });
}
