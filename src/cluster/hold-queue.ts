import { UpstreamError, type Cancellation } from '../http/index.ts';
import type { HoldConfig } from './config.ts';

/** Requests that are let go at first when the app is back; each answer lets two more go. */
const firstRelease = 4;

export interface HoldQueueOptions {
  readonly config: HoldConfig;
  /** Asks the endpoints for a connection; {@link HoldQueue.appBack} is called when one is there. */
  probe(done: () => void): void;
  readonly now: () => number;
  /** Told of every request that came (1), and how it went (-1). */
  readonly changed: (by: 1 | -1, result: HoldResult | undefined) => void;
  /** Told when requests begin to wait, and when the app is back. */
  onState(state: 'holding' | 'releasing' | 'open', waiting: number): void;
}

export type HoldResult = 'released' | 'timeout' | 'overflow' | 'cancelled';

/** A request that may wait. */
export interface Holdable {
  readonly cancellation: Cancellation;
  /** Clock reading after which nobody waits any more; undefined when there is none. */
  readonly deadline: number | undefined;
  /** Clock reading at which it was held first; 0 when it was not yet. */
  heldAt: number;
  go(): void;
  refuse(error: UpstreamError): void;
}

interface Place {
  readonly request: Holdable;
  readonly withdraw: () => void;
  readonly timer: NodeJS.Timeout;
}

/**
 * Where requests wait while the app restarts. `open`: nobody waits. `holding`: the app refuses connections, and is asked
 * again and again. `releasing`: it is back, and gets the requests as fast as it answers, beginning with a few.
 */
export class HoldQueue {
  readonly #options: HoldQueueOptions;
  readonly #places = new Set<Place>();
  #state: 'open' | 'holding' | 'releasing' = 'open';
  /** Clock reading since which the app is away; undefined while it is there. */
  #awaySince: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #probing = false;
  #burst = firstRelease;

  constructor(options: HoldQueueOptions) {
    this.#options = options;
  }

  /** Requests need not line up. */
  get passes(): boolean {
    return this.#state === 'open';
  }

  get state(): 'open' | 'holding' | 'releasing' {
    return this.#state;
  }

  get waiting(): number {
    return this.#places.size;
  }

  /** The app has refused a connection on all its endpoints. Answers whether it is waited for. */
  appAway(): boolean {
    const now = this.#options.now();
    this.#awaySince ??= now;
    return now - this.#awaySince < this.#options.config.max_outage;
  }

  /** The app has accepted a connection. */
  appBack(): void {
    this.#awaySince = undefined;
    if (this.#state !== 'holding') return;
    this.#enter('releasing');
    this.#burst = firstRelease;
    this.#release(firstRelease);
    this.#releaseByTime();
  }

  /** One of those that were let go was answered, well or badly: the app can take more. */
  answered(): void {
    if (this.#state === 'releasing') this.#release(2);
  }

  /** Lets a request wait; it goes, or is refused, later, or at once when there is no room. */
  add(request: Holdable): void {
    const { config, now, changed } = this.#options;
    const { reason } = request.cancellation;
    if (reason !== undefined) return request.refuse(gone(reason));
    if (request.heldAt === 0) request.heldAt = now();
    const until = Math.min(request.heldAt + config.max_wait, (request.deadline ?? Infinity) - 20);
    const left = until - now();
    if (left <= 0) return this.#refuse(request, 'timeout');
    if (this.#places.size >= config.max_requests) return this.#refuse(request, 'overflow');
    const leave = (result: HoldResult): void => {
      this.#take(place, result);
      this.#settle();
    };
    const timer = setTimeout(() => {
      leave('timeout');
      request.refuse(timedOut(config));
    }, left);
    const place: Place = {
      request,
      timer,
      withdraw: request.cancellation.onCancel((why) => {
        leave('cancelled');
        request.refuse(gone(why));
      }),
    };
    this.#places.add(place);
    changed(1, undefined);
    if (this.#state === 'open' || this.#awaySince !== undefined) this.#hold();
  }

  #hold(): void {
    if (this.#state !== 'holding') this.#enter('holding');
    if (this.#probing || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.#probe(), this.#options.config.probe_interval);
  }

  #probe(): void {
    this.#timer = undefined;
    if (this.#state !== 'holding') return;
    this.#probing = true;
    this.#options.probe(() => {
      this.#probing = false;
      if (this.#state === 'holding') this.#hold();
    });
  }

  #release(most: number): void {
    for (let left = most; left > 0 && this.#state === 'releasing'; left--) {
      const [first] = this.#places;
      if (first === undefined) break;
      this.#take(first, 'released');
      first.request.go();
    }
    this.#settle();
  }

  /** For answers that take long: more are let go all the same, twice as many each time. */
  #releaseByTime(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#state !== 'releasing') return;
      this.#burst *= 2;
      this.#release(this.#burst);
      if (this.#state === 'releasing') this.#releaseByTime();
    }, this.#options.config.probe_interval);
  }

  /** With nobody waiting there is nothing to do: the next request finds out by itself how the app is. */
  #settle(): void {
    if (this.#places.size > 0 || this.#state === 'open') return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#enter('open');
  }

  #enter(state: 'open' | 'holding' | 'releasing'): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#state = state;
    this.#options.onState(state, this.#places.size);
  }

  #take(place: Place, result: HoldResult): void {
    if (!this.#places.delete(place)) return;
    clearTimeout(place.timer);
    place.withdraw();
    this.#options.changed(-1, result);
  }

  #refuse(request: Holdable, result: 'timeout' | 'overflow'): void {
    const { config, changed } = this.#options;
    changed(1, undefined);
    changed(-1, result);
    request.refuse(result === 'timeout' ? timedOut(config) : full());
  }
}

function timedOut({ max_wait }: HoldConfig): UpstreamError {
  const retryAfter = Math.max(1, Math.ceil(max_wait / 1000));
  return new UpstreamError(503, 'UF', 'upstream_hold_timeout', { untouched: true, retryAfter });
}

function full(): UpstreamError {
  return new UpstreamError(503, 'UO', 'upstream_hold_overflow', { untouched: true, retryAfter: 1 });
}

/** The client has left, or time is up. */
export function gone(reason: Error): UpstreamError {
  if (reason instanceof UpstreamError) return reason;
  return new UpstreamError(503, 'DC', 'downstream_remote_disconnect', { untouched: true, cause: reason });
}
