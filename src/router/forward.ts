import type { Attempt, UpstreamCluster, UpstreamResponse } from '../cluster/attempt.ts';
import {
  Cancellation,
  localReply,
  UpstreamError,
  type Exchange,
  type Headers,
  type Response,
  type UpstreamFacts,
  type Upgrade,
} from '../http/index.ts';
import { replayable, type ReplayableBody } from './body-replay.ts';
import type { HashPolicy } from './hash-policy.ts';
import type { HeaderEdits } from './header-edits.ts';
import {
  decideRetry,
  isStaleConnection,
  mayHedge,
  tunnelRetryPolicy,
  type RetryPolicy,
  type RetryRefusal,
} from './retry-policy.ts';
import { retryAfter } from './retry-after.ts';
import type { Rewrite } from './rewrite.ts';
import type { ForwardStats } from './router-stats.ts';

/** A cluster that a route may send to. */
export interface ForwardTarget {
  readonly cluster: UpstreamCluster;
  readonly stats: ForwardStats;
}

/** The forward action of one route, compiled at load. Times are in milliseconds, 0 is off. */
export interface ForwardPlan {
  pickTarget(): ForwardTarget;
  readonly timeout: number;
  readonly perTryTimeout: number;
  readonly idleTimeout: number;
  readonly rewrite: Rewrite | undefined;
  readonly host: string | undefined;
  readonly hash: HashPolicy | undefined;
  readonly retry: RetryPolicy;
  /** Most bytes of a request body that are kept for another try. */
  readonly replayLimit: number;
  readonly upgrades: ReadonlySet<string>;
  readonly editRequest: HeaderEdits | undefined;
  readonly editResponse: HeaderEdits | undefined;
  random(): number;
  readonly clock: { monotonic(): number };
}

export type Inform = (status: number, headers: Headers) => void;

/** @throws UpstreamError from the function that is returned, when no try gave a usable response */
export function compileForward(
  plan: ForwardPlan,
): (exchange: Exchange, inform: Inform) => Response | Promise<Response> {
  const tunnelPlan: ForwardPlan = { ...plan, retry: tunnelRetryPolicy(plan.retry) };
  return function forward(exchange, inform) {
    const { upgrade } = exchange.request;
    if (upgrade === undefined) return new Forwarding(plan, exchange, inform).run();
    if (plan.upgrades.has(upgrade.protocol)) return new Forwarding(tunnelPlan, exchange, inform).run();
    // RFC 9110 §7.8 would let us ignore the wish; a clear refusal is easier to find.
    const refusal = localReply(403, 'upgrade_not_allowed');
    plan.editResponse?.(refusal.headers);
    return refusal;
  };
}

/** What does not change from try to try. */
type RequestHead = Pick<Attempt, 'method' | 'scheme' | 'authority' | 'path' | 'headers' | 'hash'>;

/** One exchange on its way to a cluster: try, decide, wait, try again. */
class Forwarding {
  readonly #plan: ForwardPlan;
  readonly #exchange: Exchange;
  readonly #inform: Inform;
  readonly #target: ForwardTarget;
  readonly #upgrade: Upgrade | undefined;
  readonly #head: RequestHead;
  readonly #body: ReplayableBody;
  readonly #facts: UpstreamFacts;
  /** Tells the current try, or the wait for the next one, that the client has left or that the deadline has passed. */
  readonly #ending = new Cancellation();
  readonly #started: number;
  #avoid: Set<string> = nowhere;
  /** The app may have had to bear a try of this request already. */
  #borne = false;
  /** An idle connection was found dead. */
  #fresh = false;
  /** Clock reading at which the timeout ends the exchange; undefined while it has not begun. */
  #deadlineAt: number | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #settled = false;

  constructor(plan: ForwardPlan, exchange: Exchange, inform: Inform) {
    const { request } = exchange;
    this.#plan = plan;
    this.#exchange = exchange;
    this.#inform = inform;
    this.#target = plan.pickTarget();
    this.#upgrade = request.upgrade;
    this.#facts = exchange.upstream = {
      cluster: this.#target.cluster.name,
      endpoint: undefined,
      attempts: 0,
      serviceTime: undefined,
      failure: undefined,
    };
    this.#head = headOf(plan, exchange);
    this.#started = plan.clock.monotonic();
    this.#body = replayable(request.body, plan.retry.retries > 0 ? plan.replayLimit : 0, () => this.#startDeadline());
  }

  async run(): Promise<Response> {
    const withdraw = this.#exchange.cancellation.onCancel((reason) => this.#ending.cancel(clientLeft(reason)));
    try {
      const response = await this.#tryUntilSettled();
      this.#body.commit();
      return this.#accept(response);
    } catch (error) {
      withdraw();
      this.#body.cancel(error as Error);
      throw error;
    } finally {
      // The client's leaving still matters to a response that was taken: its body is on its way.
      this.#settled = true;
      clearTimeout(this.#deadline);
    }
  }

  async #tryUntilSettled(): Promise<UpstreamResponse> {
    let before: UpstreamResponse | UpstreamError | undefined;
    for (;;) {
      this.#stopIf(this.#ending.reason ?? this.#incomplete());
      const outcome = await (this.#hedges ? this.#race() : this.#try(this.#ending));
      if (this.#ending.reason !== undefined) discard(outcome, this.#ending.reason);
      this.#stopIf(this.#ending.reason ?? (outcome instanceof UpstreamError ? this.#incomplete() : undefined));
      if (!(outcome instanceof UpstreamError) && !this.#plan.retry.statuses.has(outcome.status)) {
        this.#count(outcome, 'settled');
        return outcome;
      }
      // A retry for which there is no room leaves things as they were.
      if (before !== undefined && outcome instanceof UpstreamError && outcome.flag === 'UO') {
        this.#target.stats.retriesFailed.add();
        this.#exchange.addFlag('UO');
        this.#facts.failure += `; no retry: ${outcome.details}`;
        return settle(before);
      }
      const decision = decideRetry(this.#plan.retry, {
        attempt: this.#facts.attempts,
        outcome: outcome instanceof UpstreamError ? outcome : outcome.status,
        method: this.#head.method,
        replayable: this.#body.replayable,
        random: this.#plan.random(),
        ...this.#patience(outcome),
      });
      this.#count(outcome, decision.retry ? undefined : decision.reason);
      if (!decision.retry || this.#body.failure !== undefined) return settle(outcome);
      before = this.#giveUp(outcome);
      if (decision.wait > 0) await this.#wait(decision.wait);
    }
  }

  /** What the answer asks for, and how long there is to grant it. */
  #patience(outcome: UpstreamResponse | UpstreamError): { retryAfter?: number | undefined; left?: number } {
    if (outcome instanceof UpstreamError || !this.#plan.retry.statuses.has(outcome.status)) return {};
    const { timeout, clock } = this.#plan;
    const left = timeout === 0 ? Infinity : (this.#deadlineAt ?? clock.monotonic() + timeout) - clock.monotonic();
    return { retryAfter: retryAfter(outcome.headers, Date.now()), left };
  }

  get #hedges(): boolean {
    const { method } = this.#head;
    return mayHedge(this.#plan.retry, method) && this.#upgrade === undefined && this.#body.shareable;
  }

  /**
   * Tries until one is good. One that takes longer than `per_try_timeout` is not given up: the next one is made beside it,
   * as long as there are retries. The first good answer is taken; when there is none, the last failure.
   */
  #race(): Promise<UpstreamResponse | UpstreamError> {
    return new Promise((resolve, reject) => {
      const running = new Set<Cancellation>();
      let timer: NodeJS.Timeout | undefined;
      let over = false;
      const finish = (outcome: UpstreamResponse | UpstreamError): void => {
        over = true;
        clearTimeout(timer);
        withdraw();
        for (const other of running) other.cancel(new Error('another try of the request was faster'));
        // The last try that was begun need not be the one that was taken.
        if (outcome.endpoint !== undefined) this.#facts.endpoint = outcome.endpoint;
        resolve(outcome);
      };
      const arm = (): void => {
        timer = setTimeout(() => {
          // Its limit has passed: from here on it costs a retry, as if it had failed.
          if (this.#facts.attempts <= this.#plan.retry.retries) {
            this.#borne = true;
            this.#avoidEndpoint(this.#facts.endpoint);
            this.#target.stats.hedges.add();
            begin();
          }
        }, this.#plan.perTryTimeout);
      };
      const begin = (): void => {
        const cancellation = new Cancellation();
        running.add(cancellation);
        arm();
        this.#try(cancellation, 0).then((outcome) => {
          running.delete(cancellation);
          if (over) return discard(outcome, new Error('another try of the request was faster'));
          const good = !(outcome instanceof UpstreamError) && !this.#plan.retry.statuses.has(outcome.status);
          if (good || running.size === 0) finish(outcome);
          else discard(outcome, new Error('another try of the request is under way'));
        }, reject);
      };
      const withdraw = this.#ending.onCancel((reason) => {
        for (const one of running) one.cancel(reason);
      });
      begin();
    });
  }

  /** One try. A failure comes back as a value. */
  #try(
    cancellation: Cancellation,
    perTryTimeout = this.#plan.perTryTimeout,
  ): Promise<UpstreamResponse | UpstreamError> {
    const { cluster } = this.#target;
    const number = ++this.#facts.attempts;
    const attempt: Attempt = {
      ...this.#head,
      body: this.#body.next(),
      avoid: this.#avoid,
      isRetry: this.#borne,
      fresh: this.#fresh,
      deadline: this.#deadlineAt,
      perTryTimeout,
      idleTimeout: this.#plan.idleTimeout,
      onInform: (status, headers) => {
        if (!this.#settled && number === this.#facts.attempts) this.#inform(status, headers);
      },
      onEndpoint: (endpoint) => {
        this.#facts.endpoint = endpoint;
      },
      cancellation,
    };
    const answer = this.#upgrade === undefined ? cluster.send(attempt) : cluster.tunnel(attempt, this.#upgrade);
    return answer.catch(failureAsValue);
  }

  #count(outcome: UpstreamResponse | UpstreamError, refusal: RetryRefusal | undefined): void {
    const { stats } = this.#target;
    const failed = outcome instanceof UpstreamError || refusal !== 'settled';
    this.#facts.failure = failureOf(outcome, failed);
    if (this.#facts.attempts > 1) (failed ? stats.retriesFailed : stats.retriesSucceeded).add();
    if (refusal === 'retry_limit') {
      stats.retriesExhausted.add();
      this.#exchange.addFlag('URX');
    } else if (refusal === 'retry_abandoned_body_too_large' && this.#body.failure === undefined) {
      stats.retriesAbandoned.add();
      this.#facts.failure += `; ${refusal}`;
    } else if (refusal === 'retry_after_too_late') {
      this.#facts.failure += `; ${refusal}`;
    }
  }

  /** Lets go of a try that another one follows. What is left of it can be passed on if that one finds no room. */
  #giveUp(outcome: UpstreamResponse | UpstreamError): UpstreamResponse | UpstreamError | undefined {
    const endpoint = outcome.endpoint ?? this.#facts.endpoint;
    const failure = outcome instanceof UpstreamError ? outcome : undefined;
    if (failure !== undefined && isStaleConnection(failure)) this.#fresh = true;
    else this.#avoidEndpoint(endpoint);
    if (failure === undefined || !failure.untouched) this.#borne = true;
    // A response whose body is here already holds no connection. Another one would hold back its retry.
    const harmless = outcome instanceof UpstreamError || outcome.body.whole !== undefined;
    if (!harmless) discard(outcome, new Error('the request is tried again'));
    this.#body.detach();
    return harmless ? outcome : undefined;
  }

  #avoidEndpoint(endpoint: string | undefined): void {
    if (endpoint === undefined) return;
    if (this.#avoid === nowhere) this.#avoid = new Set();
    this.#avoid.add(endpoint);
  }

  #wait(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        withdraw();
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      let withdraw = (): void => {};
      withdraw = this.#ending.onCancel(done);
    });
  }

  #accept(response: UpstreamResponse): Response {
    this.#facts.serviceTime = this.#plan.clock.monotonic() - this.#started;
    this.#exchange.responseCodeDetails = 'via_upstream';
    // What went onto an upgraded socket cannot be edited any more.
    if (response.tunnel === undefined) this.#plan.editResponse?.(response.headers);
    return response;
  }

  #startDeadline(): void {
    const { timeout } = this.#plan;
    if (timeout === 0 || this.#settled) return;
    this.#deadlineAt = this.#plan.clock.monotonic() + timeout;
    this.#deadline = setTimeout(() => {
      this.#target.stats.timeouts.add();
      this.#ending.cancel(
        new UpstreamError(504, 'UT', 'upstream_response_timeout', { untouched: false, endpoint: this.#facts.endpoint }),
      );
    }, timeout);
  }

  /** Whatever the app says of a request that broke off, the cause is on the client's side. */
  #incomplete(): Error | undefined {
    const cause = this.#body.failure;
    return cause && new UpstreamError(503, 'DC', 'downstream_request_incomplete', { untouched: false, cause });
  }

  #stopIf(reason: Error | undefined): void {
    if (reason === undefined) return;
    this.#facts.failure = reason.message;
    throw reason;
  }
}

const nowhere = new Set<string>();

function failureAsValue(error: unknown): UpstreamError {
  if (error instanceof UpstreamError) return error;
  throw error;
}

function headOf(plan: ForwardPlan, exchange: Exchange): RequestHead {
  const { request } = exchange;
  let { headers } = request;
  if (plan.editRequest !== undefined) {
    // Logs and response filters go on seeing what the client sent and the filters made of it.
    headers = headers.clone();
    plan.editRequest(headers);
  }
  return {
    method: request.method,
    scheme: request.scheme,
    authority: plan.host ?? request.authority,
    path: plan.rewrite === undefined ? request.path : plan.rewrite(request.path),
    headers,
    hash: plan.hash?.(exchange),
  };
}

function settle(outcome: UpstreamResponse | UpstreamError): UpstreamResponse {
  if (outcome instanceof UpstreamError) throw outcome;
  return outcome;
}

function discard(outcome: UpstreamResponse | UpstreamError, reason: Error): void {
  if (!(outcome instanceof UpstreamError)) outcome.body.cancel(reason);
}

function failureOf(outcome: UpstreamResponse | UpstreamError, failed: boolean): string | undefined {
  if (!failed) return undefined;
  return outcome instanceof UpstreamError ? outcome.message : `status ${outcome.status}`;
}

function clientLeft(cause: Error): UpstreamError {
  return new UpstreamError(503, 'DC', 'downstream_remote_disconnect', { untouched: false, cause });
}
