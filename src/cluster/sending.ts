import { isIdempotent, UpstreamError, type Cancellation } from '../http/index.ts';
import type { Attempt, Outcome } from './attempt.ts';
import { overflow, type Ceiling, type CircuitBreakers, type Permit } from './circuit-breakers.ts';
import type { ClusterStats } from './cluster-stats.ts';
import type { ConnectionPool } from './connection-pool.ts';
import type { Endpoint } from './endpoint.ts';
import type { ErrorRateBreaker, ReportOutcome } from './error-rate-breaker.ts';
import { gone, type Holdable, type HoldQueue } from './hold-queue.ts';
import type { TryObserver } from './try.ts';
import { isRefusal } from './upstream-socket.ts';

/** What a request needs of the cluster that it is sent to. */
export interface SendingHost {
  readonly breakers: CircuitBreakers;
  readonly stats: ClusterStats;
  readonly errorRate: ErrorRateBreaker | undefined;
  readonly hold: HoldQueue | undefined;
  readonly pool: ConnectionPool;
  /** Milliseconds of a clock that never jumps. */
  now(): number;
  /** @throws UpstreamError when there is none */
  pick(attempt: Attempt): Endpoint;
  /** Tells outlier detection of a result. */
  note(endpoint: Endpoint, failed: boolean): void;
  /** Nobody listens on any endpoint, and somebody has before. */
  gone(): boolean;
}

/** Makes one try at an endpoint; the try tells its observer how it goes, and `done` what came of it. */
export type Run = (attempt: Attempt, endpoint: Endpoint, observer: TryObserver, done: Outcome) => void;

function unreported(): void {}

/** Each time half of what others do not use is lent: that is twenty times for a million, and a few that others were faster. */
const mostBorrowed = 32;

/**
 * One try that the router asked for, and everything that stands between it and an endpoint: breaker, ceilings, the queue of
 * those who wait for an app that restarts. From there it may go to an endpoint more than once.
 */
export class Sending implements Holdable, TryObserver {
  readonly #host: SendingHost;
  readonly #attempt: Attempt;
  readonly #run: Run;
  readonly #done: Outcome;
  /** An answer that was lost with its connection may be asked for again. */
  readonly #repeatable: boolean;
  heldAt = 0;
  // What is true while it is at an endpoint.
  #endpoint!: Endpoint;
  #report: ReportOutcome = unreported;
  #retry: Permit | undefined;
  #started = 0;
  /** Times it has waited for what other workers can spare. */
  #borrowed = 0;

  constructor(host: SendingHost, attempt: Attempt, run: Run, done: Outcome, repeatable: boolean) {
    this.#host = host;
    this.#attempt = attempt;
    this.#run = run;
    this.#done = done;
    this.#repeatable = repeatable;
  }

  get cancellation(): Cancellation {
    return this.#attempt.cancellation;
  }

  get deadline(): number | undefined {
    return this.#attempt.deadline;
  }

  begin(): void {
    const { hold } = this.#host;
    if (hold === undefined || hold.passes) this.go();
    else hold.add(this);
  }

  /** Breaker → ceilings → endpoint → the try itself. What was taken is given back when the try is over. */
  go(): void {
    const { breakers, errorRate } = this.#host;
    const attempt = this.#attempt;
    let taken = false;
    this.#report = unreported;
    this.#retry = undefined;
    try {
      if (errorRate !== undefined) this.#report = errorRate.enter();
      taken = breakers.max_requests.enter();
      if (!taken) {
        if (this.#mayBorrow()) return;
        throw overflow('max_requests');
      }
      this.#endpoint = this.#host.pick(attempt);
    } catch (cause) {
      if (taken) breakers.max_requests.leave();
      if (!(cause instanceof UpstreamError)) throw cause;
      this.#countFailure(cause);
      return this.#done(cause);
    }
    if (!attempt.isRetry) breakers.max_retries.firstTry();
    this.#endpoint.active++;
    this.#started = this.#host.now();
    attempt.onEndpoint(this.#endpoint.address);
    this.#run(attempt, this.#endpoint, this, this.#done);
  }

  /** Other workers may have room to spare: it goes on when that is known. Answers whether it waits. */
  #mayBorrow(): boolean {
    const more = this.#borrowed < mostBorrowed ? this.#host.breakers.max_requests.more() : undefined;
    if (more === undefined) return false;
    this.#borrowed++;
    this.#report('abandoned');
    void more.then(() => {
      const { reason } = this.#attempt.cancellation;
      if (reason === undefined) this.go();
      else this.#done(gone(reason));
    });
    return true;
  }

  refuse(error: UpstreamError): void {
    this.#done(error);
  }

  // How the try goes.

  connected(): UpstreamError | undefined {
    // Here, and not before: an app that cannot be reached has nothing to bear. What was held goes step by step anyway.
    if (!this.#attempt.isRetry || this.heldAt > 0 || this.#retry !== undefined) return undefined;
    this.#retry = this.#host.breakers.max_retries.take();
    return this.#retry === undefined ? overflow('max_retries', this.#endpoint.address) : undefined;
  }

  answered(status: number): void {
    this.#retry?.release();
    this.#host.stats.request(status);
    this.#report(status >= 500 ? 'failure' : 'success');
    this.#host.note(this.#endpoint, status >= 500);
    if (this.heldAt > 0) this.#host.hold?.answered();
  }

  failed(error: UpstreamError): boolean {
    const { stats, hold } = this.#host;
    if (this.#mayHold(error)) {
      stats.requestFailed();
      this.#report('abandoned');
      hold!.add(this);
      return true;
    }
    if (this.#maySurvive(error)) {
      stats.requestFailed();
      this.#countCause(error);
      this.#outlive(error);
      return true;
    }
    if (this.#countFailure(error)) this.#host.note(this.#endpoint, true);
    if (this.heldAt > 0) hold?.answered();
    return false;
  }

  sentAgain(): void {
    this.#host.stats.sentAgain.add();
  }

  broke(error: UpstreamError): void {
    if (error.flag === 'DC') return;
    this.#countCause(error);
    this.#host.errorRate?.brokeLater();
    this.#host.note(this.#endpoint, true);
  }

  over(): void {
    this.#endpoint.active--;
    this.#retry?.release();
    this.#host.breakers.max_requests.leave();
    this.#host.stats.duration.observe((this.#host.now() - this.#started) / 1000);
  }

  /** The app was there, and now nobody listens on any of its endpoints: it is likely to come back. */
  #mayHold(error: UpstreamError): boolean {
    const { hold } = this.#host;
    return hold !== undefined && isRefusal(error) && this.#host.gone() && hold.appAway();
  }

  /**
   * The connection was lost, perhaps with the whole app, and the request may be sent again if so. An app that is killed
   * loses its connections first and its listening socket last, and in between connections are accepted that nobody serves.
   */
  #maySurvive({ flag, details, untouched }: UpstreamError): boolean {
    if (this.#host.hold === undefined || !this.#repeatable) return false;
    if (flag !== 'UC' && details !== 'upstream_connect_failure{connection_reset}') return false;
    const { body, method } = this.#attempt;
    return untouched || (body.whole !== undefined && isIdempotent(method));
  }

  /** Asks for a new connection: if it is refused the app has gone, and the request waits for the next one. */
  #outlive(lost: UpstreamError): void {
    const { pool, hold } = this.#host;
    const report = this.#report;
    const endpoint = this.#endpoint;
    pool.acquire(endpoint, true, (error, lease) => {
      lease?.release();
      if (error !== undefined && this.#mayHold(error)) {
        report('abandoned');
        return hold!.add(this);
      }
      report('failure');
      this.#host.note(endpoint, true);
      if (this.heldAt > 0) hold?.answered();
      this.#done(lost);
    });
  }

  /** Counts a try without response. Answers whether that speaks against the endpoint: overflow and leaving clients do not. */
  #countFailure(error: UpstreamError): boolean {
    this.#host.stats.requestFailed();
    this.#countCause(error);
    const blameless = error.flag === 'UO' || error.flag === 'DC';
    this.#report(blameless ? 'abandoned' : 'failure');
    return !blameless;
  }

  #countCause({ flag, details }: UpstreamError): void {
    const { stats } = this.#host;
    if (flag === 'UC') stats.resets.add();
    else if (flag === 'UT') stats.timeouts.add();
    else if (details === 'upstream_circuit_open') stats.overflow.circuit_open.add();
    else if (flag === 'UO') {
      const ceiling = /\{(\w+)\}/.exec(details)?.[1] as Ceiling | undefined;
      if (ceiling !== undefined && ceiling !== 'max_connections') stats.overflow[ceiling].add();
    }
  }
}
