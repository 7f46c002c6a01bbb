import type { Attempt, Outcome, UpstreamCluster, UpstreamResponse } from '../cluster/attempt.ts';
import {
  Cancellation,
  localReply,
  timeLimit,
  UpstreamError,
  type CancelListener,
  type Exchange,
  type LiftLimit,
  type UpstreamFacts,
  type Upgrade,
} from '../http/index.ts';
import { replayable, type ReplayableBody, type WholeListener } from './body-replay.ts';
import { Timed, type Countdown } from './countdown.ts';
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
import type { AnswerReceiver, Route } from './route.ts';
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
  /** Of the timeout; undefined when there is none. */
  readonly countdown: Countdown | undefined;
}

/** Compiles the action that asks a cluster. */
export function compileForward(plan: ForwardPlan): Route['answer'] {
  const tunnelPlan: ForwardPlan = { ...plan, retry: tunnelRetryPolicy(plan.retry) };
  return function forward(exchange, receiver) {
    const { upgrade } = exchange.request;
    if (upgrade === undefined) return new Forwarding(plan, exchange, receiver).begin();
    if (plan.upgrades.has(upgrade.protocol)) return new Forwarding(tunnelPlan, exchange, receiver).begin();
    // RFC 9110 §7.8 would let us ignore the wish; a clear refusal is easier to find.
    const refusal = localReply(403, 'upgrade_not_allowed');
    plan.editResponse?.(refusal.headers);
    receiver.answer(refusal);
  };
}

/** What does not change from try to try. */
type RequestHead = Pick<Attempt, 'method' | 'scheme' | 'authority' | 'path' | 'headers' | 'hash'>;

/** One exchange on its way to a cluster: try, decide, wait, try again. Each step calls the next one. */
class Forwarding extends Timed implements CancelListener, WholeListener {
  readonly #plan: ForwardPlan;
  readonly #exchange: Exchange;
  readonly #receiver: AnswerReceiver;
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
  #settled = false;
  /** What the try before brought, which is passed on when there is no room for another. */
  #before: UpstreamResponse | UpstreamError | undefined;

  constructor(plan: ForwardPlan, exchange: Exchange, receiver: AnswerReceiver) {
    super();
    const { request } = exchange;
    this.#plan = plan;
    this.#exchange = exchange;
    this.#receiver = receiver;
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
    const limit = plan.retry.retries > 0 ? plan.replayLimit : 0;
    this.#body = replayable(request.body, limit, this);
  }

  begin(): void {
    this.#exchange.cancellation.add(this);
    this.#next();
  }

  /** The client has left. */
  cancelled(reason: Error): void {
    this.#ending.cancel(clientLeft(reason));
  }

  #next(): void {
    const reason = this.#ending.reason ?? this.#incomplete();
    if (reason !== undefined) return this.#stop(reason);
    if (this.#hedges) this.#race();
    else this.#try(this.#ending, this.#plan.perTryTimeout, (outcome) => this.#judge(outcome));
  }

  /** A try is over: what it brought is taken, or another one follows. */
  #judge(outcome: UpstreamResponse | UpstreamError): void {
    const ended = this.#ending.reason;
    if (ended !== undefined) discard(outcome, ended);
    const reason = ended ?? (outcome instanceof UpstreamError ? this.#incomplete() : undefined);
    if (reason !== undefined) return this.#stop(reason);
    if (!(outcome instanceof UpstreamError) && !this.#plan.retry.statuses.has(outcome.status)) {
      this.#count(outcome, 'settled');
      return this.#settle(outcome);
    }
    // A retry for which there is no room leaves things as they were.
    if (this.#before !== undefined && outcome instanceof UpstreamError && outcome.flag === 'UO') {
      this.#target.stats.retriesFailed.add();
      this.#exchange.addFlag('UO');
      this.#facts.failure += `; no retry: ${outcome.details}`;
      return this.#settle(this.#before);
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
    if (!decision.retry || this.#body.failure !== undefined) return this.#settle(outcome);
    this.#before = this.#giveUp(outcome);
    if (decision.wait > 0) this.#wait(decision.wait);
    else this.#next();
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
  #race(): void {
    const running = new Set<Cancellation>();
    let liftLimit: LiftLimit | undefined;
    let over = false;
    const finish = (outcome: UpstreamResponse | UpstreamError): void => {
      over = true;
      liftLimit?.();
      withdraw();
      for (const other of running) other.cancel(new Error('another try of the request was faster'));
      // The last try that was begun need not be the one that was taken.
      if (outcome.endpoint !== undefined) this.#facts.endpoint = outcome.endpoint;
      this.#judge(outcome);
    };
    const arm = (): void => {
      liftLimit = timeLimit(this.#plan.perTryTimeout, () => {
        // Its limit has passed: from here on it costs a retry, as if it had failed.
        if (this.#facts.attempts <= this.#plan.retry.retries) {
          this.#borne = true;
          this.#avoidEndpoint(this.#facts.endpoint);
          this.#target.stats.hedges.add();
          begin();
        }
      });
    };
    const begin = (): void => {
      const cancellation = new Cancellation();
      running.add(cancellation);
      arm();
      this.#try(cancellation, 0, (outcome) => {
        running.delete(cancellation);
        if (over) return discard(outcome, new Error('another try of the request was faster'));
        const good = !(outcome instanceof UpstreamError) && !this.#plan.retry.statuses.has(outcome.status);
        if (good || running.size === 0) finish(outcome);
        else discard(outcome, new Error('another try of the request is under way'));
      });
    };
    const withdraw = this.#ending.onCancel((reason) => {
      for (const one of running) one.cancel(reason);
    });
    begin();
  }

  #try(cancellation: Cancellation, perTryTimeout: number, done: Outcome): void {
    const { cluster } = this.#target;
    const { method, scheme, authority, path, headers, hash } = this.#head;
    const number = ++this.#facts.attempts;
    const attempt: Attempt = {
      method,
      scheme,
      authority,
      path,
      headers,
      hash,
      body: this.#body.next(),
      avoid: this.#avoid,
      isRetry: this.#borne,
      fresh: this.#fresh,
      deadline: this.#deadlineAt,
      perTryTimeout,
      idleTimeout: this.#plan.idleTimeout,
      onInform: (status, fields) => {
        if (!this.#settled && number === this.#facts.attempts) this.#receiver.inform(status, fields);
      },
      onEndpoint: this.#onEndpoint,
      cancellation,
    };
    if (this.#upgrade === undefined) cluster.send(attempt, done);
    else cluster.tunnel(attempt, this.#upgrade, done);
  }

  readonly #onEndpoint = (endpoint: string): void => {
    this.#facts.endpoint = endpoint;
  };

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

  #wait(milliseconds: number): void {
    const timer = setTimeout(() => {
      withdraw();
      this.#next();
    }, milliseconds);
    const withdraw = this.#ending.onCancel((reason) => {
      clearTimeout(timer);
      this.#stop(reason);
    });
  }

  #settle(outcome: UpstreamResponse | UpstreamError): void {
    if (outcome instanceof UpstreamError) return this.#refuse(outcome);
    this.#body.commit();
    this.#facts.serviceTime = this.#plan.clock.monotonic() - this.#started;
    this.#exchange.responseCodeDetails = 'via_upstream';
    // What went onto an upgraded socket cannot be edited any more.
    if (outcome.tunnel === undefined) this.#plan.editResponse?.(outcome.headers);
    // The client's leaving still matters to a response that was taken: its body is on its way.
    this.#end();
    this.#receiver.answer(outcome);
  }

  /** Nothing that a try could bring matters any more. */
  #stop(reason: Error): void {
    this.#facts.failure = reason.message;
    this.#refuse(reason);
  }

  #refuse(reason: Error): void {
    this.#exchange.cancellation.remove(this);
    this.#body.cancel(reason);
    this.#end();
    this.#receiver.answer(reason);
  }

  #end(): void {
    this.#settled = true;
    this.#plan.countdown?.stop(this);
  }

  /** The whole request is here. */
  whole(): void {
    const { timeout, countdown, clock } = this.#plan;
    if (countdown === undefined || this.#settled) return;
    this.#deadlineAt = clock.monotonic() + timeout;
    countdown.start(this);
  }

  timeUp(): void {
    this.#target.stats.timeouts.add();
    this.#ending.cancel(
      new UpstreamError(504, 'UT', 'upstream_response_timeout', { untouched: false, endpoint: this.#facts.endpoint }),
    );
  }

  /** Whatever the app says of a request that broke off, the cause is on the client's side. */
  #incomplete(): Error | undefined {
    const cause = this.#body.failure;
    return cause && new UpstreamError(503, 'DC', 'downstream_request_incomplete', { untouched: false, cause });
  }
}

const nowhere = new Set<string>();

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
