import {
  BodyStream,
  isIdempotent,
  noBody,
  timeLimit,
  UpstreamError,
  type CancelListener,
  type Headers,
  type LiftLimit,
} from '../http/index.ts';
import type { Attempt, Outcome, UpstreamResponse } from './attempt.ts';
import type { ConnectionPool, Lease } from './connection-pool.ts';
import type { Endpoint } from './endpoint.ts';
import type { UpstreamAnswer } from './upstream-connection.ts';
import { beforeResponse, duringResponse, type ExchangeFailure } from './upstream-socket.ts';

/** Hears how a try goes: one of `answered` and `failed`, perhaps `broke` after `answered`, and last `over`. */
export interface TryObserver {
  /** There is a connection. Answers why the request must not be sent all the same, if so. */
  connected(): UpstreamError | undefined;
  answered(status: number): void;
  /** The answer true: whoever waits for the response need not be told, another try follows. */
  failed(error: UpstreamError): boolean;
  /** A kept connection was found dead, and the request is sent once more, on a new one. */
  sentAgain(): void;
  /** The response was not whole. */
  broke(error: UpstreamError): void;
  /** Nothing of the try is left. */
  over(): void;
}

export interface TryOptions {
  readonly pool: ConnectionPool;
  readonly maxRequestsPerConnection: number;
  /** Milliseconds of a clock that never jumps. */
  now(): number;
}

/** Sends a request to an endpoint. `done` is called once, unless the observer takes a failure over. */
export function tryOnce(
  attempt: Attempt,
  endpoint: Endpoint,
  options: TryOptions,
  observer: TryObserver,
  done: Outcome,
): void {
  new Try(attempt, endpoint, options, observer, done).begin();
}

/**
 * Where a try stands. Everything that can end it (answer, failure, timeout, a client that leaves) looks here first, so
 * that it ends once.
 */
type Phase =
  | { readonly name: 'connecting'; readonly giveUp: () => void }
  | { readonly name: 'waiting'; readonly lease: Lease }
  | { readonly name: 'answering'; readonly lease: Lease; readonly body: BodyStream }
  | { readonly name: 'over' };

const connecting: Phase = { name: 'connecting', giveUp() {} };
const over: Phase = { name: 'over' };

class Try implements UpstreamAnswer, CancelListener {
  readonly #attempt: Attempt;
  readonly #endpoint: Endpoint;
  readonly #options: TryOptions;
  readonly #observer: TryObserver;
  readonly #done: Outcome;
  #phase: Phase = connecting;
  #perTry: LiftLimit | undefined;
  #idle: LiftLimit | undefined;
  #lastByte = 0;
  /** Its head is here, and what came with the head is being read. */
  #response: UpstreamResponse | undefined;
  /** We have asked for silence, so silence is nobody's fault. */
  #paused = false;

  constructor(attempt: Attempt, endpoint: Endpoint, options: TryOptions, observer: TryObserver, done: Outcome) {
    this.#attempt = attempt;
    this.#endpoint = endpoint;
    this.#options = options;
    this.#observer = observer;
    this.#done = done;
  }

  begin(): void {
    const { perTryTimeout, cancellation } = this.#attempt;
    if (perTryTimeout > 0) {
      this.#perTry = timeLimit(perTryTimeout, () =>
        this.#stop((untouched) => this.#timeout('upstream_per_try_timeout', untouched)),
      );
    }
    cancellation.add(this);
    if (this.#phase.name !== 'over') this.#connect(this.#attempt.fresh === true);
  }

  #connect(fresh: boolean): void {
    const { pool } = this.#options;
    const ready = fresh ? undefined : pool.takeReady(this.#endpoint);
    if (ready !== undefined) return this.#send(ready);
    let done = false;
    const giveUp = pool.acquire(this.#endpoint, fresh, (error, lease) => {
      done = true;
      if (lease === undefined) this.#fail(error!);
      else this.#send(lease);
    });
    if (!done) this.#phase = { name: 'connecting', giveUp };
  }

  #send(lease: Lease): void {
    const { method, authority, path, headers, body } = this.#attempt;
    const { maxRequestsPerConnection: most } = this.#options;
    this.#phase = { name: 'waiting', lease };
    const refusal = this.#observer.connected();
    if (refusal !== undefined) {
      lease.release();
      return this.#fail(refusal);
    }
    if (body.whole !== undefined && body.length !== undefined && body.whole.byteLength !== body.length) {
      const cause = new Error(`the request body has ${body.whole.byteLength} bytes instead of ${body.length}`);
      return this.fail({ kind: 'request_body', cause }, true);
    }
    this.#watchIdle();
    const last = most > 0 && lease.connection.requests + 1 >= most;
    lease.connection.send({ method, path, authority, fields: headers.flat, body, last }, this);
  }

  sent(): void {
    this.#touch();
  }

  inform(status: number, headers: Headers): void {
    if (this.#phase.name !== 'waiting') return;
    this.#touch();
    this.#attempt.onInform(status, headers);
  }

  head(status: number, headers: Headers, length: number | undefined, announced?: string): void {
    if (this.#phase.name !== 'waiting') return;
    const { lease } = this.#phase;
    this.#touch();
    this.#perTry?.();
    const source = {
      resume: () => {
        this.#paused = false;
        this.#touch();
        lease.connection.resume();
      },
      cancel: () => this.#leave(() => lease.discard()),
    };
    const body = new BodyStream(length, source, announced);
    this.#phase = { name: 'answering', lease, body };
    this.#observer.answered(status);
    const { address } = this.#endpoint;
    this.#response = { status, headers, body: length === 0 ? noBody : body, endpoint: address };
  }

  told(): void {
    const response = this.#response;
    if (response === undefined) return;
    this.#response = undefined;
    this.#done(response);
  }

  data(chunk: Uint8Array): boolean {
    if (this.#phase.name !== 'answering') return true;
    this.#touch();
    this.#paused = !this.#phase.body.push(chunk);
    return !this.#paused;
  }

  end(trailers: Headers | undefined): void {
    if (this.#phase.name !== 'answering') return;
    const { lease, body } = this.#phase;
    this.#leave(() => lease.release());
    body.end(trailers);
  }

  fail(failure: ExchangeFailure, untouched: boolean): void {
    const phase = this.#phase;
    if (phase.name === 'answering') return this.#break(duringResponse(failure, this.#endpoint.address));
    if (phase.name !== 'waiting') return;
    const { lease } = phase;
    if (!lease.reused || failure.kind !== 'reset') lease.discard();
    else {
      lease.foundDead();
      if (this.#maySendAgain(lease, untouched)) {
        this.#observer.sentAgain();
        return this.#connect(true);
      }
    }
    this.#fail(beforeResponse(failure, { endpoint: this.#endpoint.address, reused: lease.reused, untouched }));
  }

  /**
   * The keep-alive race: the app closed an unused connection just when the request was written. That is nobody's fault, so
   * it is no retry that a policy could forbid or a budget refuse. Once only: a new connection is not reused.
   */
  #maySendAgain(lease: Lease, untouched: boolean): boolean {
    const { body, method } = this.#attempt;
    return body.whole !== undefined && (untouched || (lease.wasLongIdle && isIdempotent(method)));
  }

  #timeout(details: string, untouched: boolean): UpstreamError {
    return new UpstreamError(504, 'UT', details, { untouched, endpoint: this.#endpoint.address });
  }

  /** Nobody waits for the answer any more. */
  cancelled(reason: Error): void {
    this.#stop((untouched) => cancelled(reason, this.#endpoint.address, untouched));
  }

  /** Ends the try from outside, wherever it stands. */
  #stop(error: (untouched: boolean) => UpstreamError): void {
    const phase = this.#phase;
    switch (phase.name) {
      case 'connecting':
        phase.giveUp();
        return this.#fail(error(true));
      case 'waiting':
        this.#phase = over;
        phase.lease.discard();
        return this.#fail(error(false));
      case 'answering':
        return this.#break(error(false));
      case 'over':
        return;
    }
  }

  /** There is no response. */
  #fail(error: UpstreamError): void {
    const takenOver = this.#observer.failed(error);
    this.#leave(() => {});
    if (!takenOver) this.#done(error);
  }

  /** The response is not whole, and must not look as if it were. */
  #break(error: UpstreamError): void {
    if (this.#phase.name !== 'answering') return;
    const { lease, body } = this.#phase;
    this.#observer.broke(error);
    this.#leave(() => lease.discard());
    body.fail(error);
  }

  #leave(letGo: () => void): void {
    this.#phase = over;
    this.#perTry?.();
    this.#idle?.();
    this.#attempt.cancellation.remove(this);
    letGo();
    this.#observer.over();
  }

  #touch(): void {
    // To look at the clock costs, and most routes leave it to the listener to watch for silence.
    if (this.#attempt.idleTimeout > 0) this.#lastByte = this.#options.now();
  }

  /** One timer that looks at the clock when it rings: bytes are many, and moving a timer for each of them costs. */
  #watchIdle(): void {
    const { idleTimeout } = this.#attempt;
    if (idleTimeout === 0) return;
    this.#touch();
    const look = () => {
      const silent = this.#paused ? 0 : this.#options.now() - this.#lastByte;
      // A timer may ring a fraction of a millisecond early.
      if (silent >= idleTimeout - 1) this.#stop((untouched) => this.#timeout('upstream_idle_timeout', untouched));
      else this.#idle = timeLimit(idleTimeout - silent, look);
    };
    this.#idle?.();
    this.#idle = timeLimit(idleTimeout, look);
  }
}

/** What a cancellation becomes. Who cancels may say it himself, as a deadline over all tries does. */
export function cancelled(reason: Error, endpoint: string, untouched: boolean): UpstreamError {
  if (reason instanceof UpstreamError) return reason;
  return new UpstreamError(503, 'DC', 'downstream_remote_disconnect', { untouched, endpoint, cause: reason });
}
