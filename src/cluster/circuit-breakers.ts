import { UpstreamError } from '../http/index.ts';
import { evenPart, type CeilingShare, type CeilingShares, type CeilingUse } from './ceiling-share.ts';
import type { CircuitBreakersConfig } from './config.ts';
import { RetryBudget } from './retry-budget.ts';

export type Ceiling = 'max_connections' | 'max_pending_requests' | 'max_requests' | 'max_retries';

/** A place under a ceiling. Giving it back twice is harmless. */
export interface Permit {
  release(): void;
}

/** Of a share, so much may be used before more is asked for. */
const almost = 7 / 8;

/** One ceiling and what is taken of it. */
export class Allowance {
  readonly most: number;
  readonly #changed: (by: 1 | -1) => void;
  /** Undefined when nobody else takes of it. */
  readonly #share: CeilingShare | undefined;
  #used = 0;
  /** Told when there may be room that somebody else has left. */
  onRoom: () => void = () => {};
  /** Gives back a place that is kept for later only, if there is one. */
  onNeed: () => void = () => {};

  /** @param share makes our share of a ceiling that others take of as well */
  constructor(
    most: number,
    changed: (by: 1 | -1) => void = () => {},
    share?: (use: Pick<CeilingUse, 'most' | 'used' | 'makeRoom' | 'changed'>) => CeilingShare,
  ) {
    this.most = most;
    this.#changed = changed;
    this.#share = share?.({
      most,
      used: () => this.#used,
      makeRoom: () => this.onNeed(),
      changed: () => this.onRoom(),
    });
  }

  get shared(): boolean {
    return this.#share !== undefined;
  }

  /** Resolves when it can be used. */
  async join(): Promise<void> {
    await this.#share?.join();
  }

  /** It is not used any more, once what was taken has been given back. */
  close(): void {
    this.#share?.close();
  }

  /** Resolves when it is known whether somebody else has room to spare; undefined when nobody has. */
  more(): Promise<void> | undefined {
    return this.#share?.more();
  }

  get used(): number {
    return this.#used;
  }

  /** A ceiling of fixed height does not care. */
  firstTry(): void {}

  /** Takes a place, if there is one, for who gives it back by exactly one {@link leave}. */
  enter(): boolean {
    const share = this.#share;
    if (this.#used >= (share ?? this).most) {
      share?.ask();
      return false;
    }
    this.#used++;
    this.#changed(1);
    // Before it runs out.
    if (share !== undefined && this.#used > share.most * almost) share.ask();
    return true;
  }

  leave(): void {
    this.#used--;
    this.#changed(-1);
    this.#share?.left();
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

/** What the ceilings of a cluster have from outside. */
export interface CircuitBreakerSources {
  /** Told of every permit taken (1) or given back (-1). */
  readonly changed?: (ceiling: Ceiling, by: 1 | -1) => void;
  /** Milliseconds of a clock that never jumps. */
  readonly now?: () => number;
  /** Of the whole process, where there are several; and what this cluster is called there. */
  readonly shared?: { readonly cluster: string; readonly ceilings: CeilingShares };
}

export function createCircuitBreakers(
  config: CircuitBreakersConfig,
  { changed = () => {}, now = () => performance.now(), shared }: CircuitBreakerSources = {},
): CircuitBreakers {
  function allowance(ceiling: Ceiling, most: number): Allowance {
    const share =
      shared &&
      ((use: Pick<CeilingUse, 'most' | 'used' | 'makeRoom' | 'changed'>) =>
        shared.ceilings.share({
          ...use,
          key: `${shared.cluster} ${ceiling} ${most}`,
          // Those who wait for a connection must have one that comes free some time.
          keep: ceiling === 'max_connections' ? 1 : 0,
        }));
    return new Allowance(most, (by) => changed(ceiling, by), share);
  }
  const { retry_budget: budget, max_retries } = config;
  const requests = allowance('max_requests', config.max_requests);
  const most = budget.min_retry_concurrency;
  // Each worker can try something again, unless nobody shall.
  const least = shared === undefined || most === 0 ? most : Math.max(1, evenPart(most, shared.ceilings));
  return {
    max_connections: allowance('max_connections', config.max_connections),
    max_pending_requests: allowance('max_pending_requests', config.max_pending_requests),
    max_requests: requests,
    max_retries:
      max_retries === undefined
        ? new RetryBudget({ ...budget, min_retry_concurrency: least }, () => requests.used, now)
        : allowance('max_retries', max_retries),
  };
}

export function overflow(ceiling: Ceiling, endpoint?: string): UpstreamError {
  return new UpstreamError(503, 'UO', `upstream_overflow{${ceiling}}`, { untouched: true, endpoint });
}
