import type { ChainProgress, FilterChain } from '../filter/chain.ts';
import type { Clock, FilterLog } from '../filter/define-filter.ts';
import {
  isLocalReply,
  localReply,
  UpstreamError,
  type Exchange,
  type Headers,
  type LocalReply,
  type Response,
  type Tunnel,
} from '../http/index.ts';
import type { Overload } from '../overload/index.ts';
import type { AnswerReceiver, Route, RouteTable } from '../router/route.ts';
import type { ExchangeCounters } from './exchange-counters.ts';
import type { ResponseWriter } from './response-writer.ts';
import type { Ending, Watch } from './watch.ts';

/** The exchanges that go by the same routes. */
export interface Generation {
  enter(): void;
  leave(): void;
}

/** What serving needs to know; one a listener. */
export interface ServeContext {
  /** The current routes; asked once per exchange, so a reload takes effect with the next one. */
  routes(): RouteTable;
  /** Whose `onLog` hooks hear of requests that were refused before they had a route. */
  refusedChain(): FilterChain;
  /** Those who go by these routes and filters, which are kept until the last of them has left. */
  generation?(): Generation;
  /** Connections that have left HTTP and go on. */
  readonly tunnels?: Set<Tunnel>;
  readonly counters: ExchangeCounters;
  readonly clock: Clock;
  readonly log: FilterLog;
  /** Refuses exchanges when there is too much to do. */
  readonly overload?: Overload | undefined;
  /** Milliseconds; 0 is off. */
  readonly streamIdleTimeout: number;
  /** Pseudonym in the Via field of responses; empty for none. */
  readonly via: string;
}

/** Who asked for an exchange to be served. */
export interface Served {
  /** It is over: answered, broken off, or left. Called once, perhaps before `serve` has returned. */
  served(): void;
}

/**
 * The story of one exchange, from the request head to the log line: ask the filters, ask the route, let the filters see the
 * answer, deliver it, log. Each step calls the next one as soon as it can, which mostly is at once. Never throws.
 * @param refused the answer, when the codec has found the request malformed: it has no route then
 */
export function serve(
  exchange: Exchange,
  writer: ResponseWriter,
  watch: Watch,
  context: ServeContext,
  host: Served,
  refused?: LocalReply,
): void {
  new Serving(exchange, writer, watch, context, host).begin(refused ?? context.overload?.refusal());
}

/** Who would be told that the exchange ends early, and what becomes of it then, depends on where it stands. */
type Step = 'asking' | 'editing' | 'delivering' | 'tunnelled' | 'over';

class Serving implements AnswerReceiver, ChainProgress {
  readonly #exchange: Exchange;
  readonly #writer: ResponseWriter;
  readonly #watch: Watch;
  readonly #context: ServeContext;
  readonly #host: Served;
  /** How many filters have seen the request: these see the response. */
  reached = 0;
  #step: Step = 'asking';
  #chain: FilterChain | undefined;
  #generation: Generation | undefined;
  /** Why the delivery was broken off. */
  #cut: Ending | undefined;

  constructor(exchange: Exchange, writer: ResponseWriter, watch: Watch, context: ServeContext, host: Served) {
    this.#exchange = exchange;
    this.#writer = writer;
    this.#watch = watch;
    this.#context = context;
    this.#host = host;
  }

  begin(refused: LocalReply | undefined): void {
    const context = this.#context;
    const exchange = this.#exchange;
    context.counters.begin();
    this.#generation = context.generation?.();
    this.#generation?.enter();
    try {
      const route = refused === undefined ? context.routes().match(exchange.request) : undefined;
      this.#chain = route?.chain ?? context.refusedChain();
      if (route !== undefined) exchange.route = route.facts;
      this.#watch.awaitBytes(route?.idleTimeout ?? context.streamIdleTimeout);
      this.#watch.onEnd(this);
      if (this.#step !== 'asking') return;
      if (refused !== undefined) this.#edit(refused);
      else this.#askFilters(route!);
    } catch (error) {
      this.#fail(error);
    }
  }

  #askFilters(route: Route): void {
    try {
      const judged = route.chain.onRequest(this.#exchange, this);
      if (judged instanceof Promise) {
        judged.then(
          (refusal) => this.#judged(route, refusal),
          (error: unknown) => this.#answered(this.#replyTo(error)),
        );
      } else {
        this.#judged(route, judged);
      }
    } catch (error) {
      this.#answered(this.#replyTo(error));
    }
  }

  #judged(route: Route, refusal: LocalReply | undefined): void {
    if (this.#step !== 'asking') return;
    if (refusal !== undefined) return this.#answered(refusal);
    try {
      route.answer(this.#exchange, this);
    } catch (error) {
      this.#answered(this.#replyTo(error));
    }
  }

  // What the route says.

  /** An interim response is never worth an exchange. */
  inform(status: number, headers: Headers): void {
    try {
      this.#writer.inform(status, headers);
    } catch (error) {
      this.#context.log.debug('interim response not sent', { error: describe(error) });
    }
  }

  answer(outcome: Response | Error): void {
    this.#answered(outcome instanceof Error ? this.#replyTo(outcome) : outcome);
  }

  /** The first answer counts; one that comes too late is let go of. */
  #answered(answer: Response): void {
    if (this.#step !== 'asking') return answer.body.cancel(new Error('the answer came too late'));
    try {
      if (answer.tunnel !== undefined) this.#tunnelled(answer, answer.tunnel);
      else this.#edit(answer);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The only place where an error becomes an answer. The client learns the name of the failure and nothing of its inside. */
  #replyTo(error: unknown): LocalReply {
    const exchange = this.#exchange;
    if (error instanceof UpstreamError) {
      if (exchange.upstream !== undefined) exchange.upstream.failure ??= error.message;
      return localReply(error.status, error.details, { flag: error.flag, headers: hintsOf(error) });
    }
    if (exchange.cancellation.reason === undefined) {
      const fields = { error: describe(error), route: exchange.route.route };
      this.#context.log.error('unexpected error while answering', fields);
    }
    return localReply(500, 'internal_error', { body: 'internal error\n' });
  }

  /** Lets the filters that saw the request see the response. Stays synchronous as long as they do. */
  #edit(answer: Response): void {
    const { via } = this.#context;
    this.#step = 'editing';
    this.#account(answer);
    if (via !== '' && !isLocalReply(answer)) answer.headers.append('via', `1.1 ${via}`);
    const result = this.#chain!.onResponse(answer, this.#exchange, this);
    if (!(result instanceof Promise)) return this.#edited(answer, result);
    result.then(
      (response) => {
        if (this.#step === 'editing') this.#edited(answer, response);
        else response.body.cancel(new Error('the answer came too late'));
      },
      (error: unknown) => this.#fail(error),
    );
  }

  #edited(answer: Response, response: Response): void {
    if (response !== answer) this.#account(response);
    this.#deliver(response);
  }

  /** Writes what the log shall say of an answer. */
  #account(response: Response): void {
    const exchange = this.#exchange;
    exchange.response = response;
    if (isLocalReply(response)) {
      exchange.responseCodeDetails = response.local.details;
      if (response.local.flag !== undefined) exchange.addFlag(response.local.flag);
    } else {
      exchange.responseCodeDetails = 'via_upstream';
    }
  }

  #deliver(response: Response): void {
    this.#step = 'delivering';
    try {
      const sent = this.#writer.send(response);
      if (sent === undefined) this.#finish();
      else sent.then(this.#delivered, (error: unknown) => this.#deliverInstead(error, response));
    } catch (error) {
      this.#deliverInstead(error, response);
    }
  }

  /** The head could not be written: a field that this protocol cannot carry. */
  #deliverInstead(error: unknown, response: Response): void {
    this.#context.log.warn('response head refused', { error: describe(error), route: this.#exchange.route.route });
    response.body.cancel(error instanceof Error ? error : new Error(String(error)));
    const instead = localReply(502, 'response_head_invalid', { flag: 'UPE' });
    this.#account(instead);
    try {
      const sent = this.#writer.send(instead);
      if (sent === undefined) this.#finish();
      else sent.then(this.#delivered, (again: unknown) => this.#fail(again));
    } catch (again) {
      this.#fail(again);
    }
  }

  /** @param failure what broke the message */
  readonly #delivered = (failure: Error | undefined): void => {
    const exchange = this.#exchange;
    if (failure === undefined) return this.#finish();
    // When the app breaks off, the stream to the client ends too, and what that looks like must not hide the cause.
    const appBrokeOff = failure instanceof UpstreamError && failure.flag !== 'DC';
    if (this.#cut?.kind === 'gone' && !appBrokeOff) {
      this.#disconnected();
    } else if (this.#cut?.kind === 'reply') {
      exchange.responseCodeDetails = this.#cut.reply.local.details;
      if (this.#cut.reply.local.flag !== undefined) exchange.addFlag(this.#cut.reply.local.flag);
    } else if (failure instanceof UpstreamError) {
      exchange.responseCodeDetails = failure.details;
      exchange.addFlag(failure.flag);
    } else {
      exchange.responseCodeDetails = 'response_body_failed';
      this.#context.log.warn('response broken off', { error: describe(failure), route: exchange.route.route });
    }
    this.#finish();
  };

  // What the watch says.

  /** Whoever works on an answer is told to stop. */
  ended(ending: Ending): void {
    const { cancellation } = this.#exchange;
    switch (this.#step) {
      case 'asking':
      case 'editing':
        return this.#endEarly(ending);
      case 'delivering':
        this.#cut = ending;
        cancellation.cancel(reasonOf(ending));
        return this.#writer.abort(reasonOf(ending));
      case 'tunnelled':
        return cancellation.cancel(reasonOf(ending));
      case 'over':
        return;
    }
  }

  /** A client may ask again after a 408 (RFC 9110 §15.5.9): not when the app has its whole request. Envoy tells them apart alike. */
  silent(): Ending {
    const status = this.#exchange.requestDuration === undefined ? 408 : 504;
    return { kind: 'reply', reply: localReply(status, 'stream_idle_timeout', { flag: 'SI' }) };
  }

  #endEarly(ending: Ending): void {
    const exchange = this.#exchange;
    // What was answered and is with a filter now will not be delivered.
    const unwanted = exchange.response;
    this.#step = 'delivering';
    exchange.cancellation.cancel(reasonOf(ending));
    unwanted?.body.cancel(reasonOf(ending));
    if (ending.kind === 'gone') {
      this.#disconnected();
      return this.#finish();
    }
    this.#watch.answered();
    try {
      if (unwanted === undefined) this.#edit(ending.reply);
      else {
        this.#account(ending.reply);
        this.#deliver(ending.reply);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Nobody waits for the answer any more. The log says 499, as nginx made customary, if there was no answer yet. */
  #disconnected(): void {
    const exchange = this.#exchange;
    exchange.response ??= localReply(499, 'downstream_disconnected');
    exchange.addFlag('DC');
    exchange.responseCodeDetails = 'downstream_disconnected';
  }

  /** The answer is on the socket already and the connection has left HTTP. */
  #tunnelled(answer: Response, tunnel: Tunnel): void {
    const exchange = this.#exchange;
    const { tunnels, clock } = this.#context;
    this.#step = 'tunnelled';
    this.#watch.rest();
    this.#account(answer);
    exchange.responseDuration = clock.monotonic() - exchange.started;
    tunnels?.add(tunnel);
    tunnel.ended.then(
      ({ bytesReceived, bytesSent }) => {
        tunnels?.delete(tunnel);
        exchange.bytesReceived += bytesReceived;
        exchange.bytesSent += bytesSent;
        this.#finish();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  /** What nobody has foreseen: the message is broken off. */
  #fail(error: unknown): void {
    if (this.#step === 'over') return;
    const exchange = this.#exchange;
    this.#context.log.error('serving failed', { error: describe(error), listener: exchange.downstream.listener });
    exchange.responseCodeDetails = 'internal_error';
    this.#step = 'over';
    this.#writer.abort(error instanceof Error ? error : new Error(String(error)));
    this.#close();
  }

  #finish(): void {
    if (this.#step === 'over') return;
    this.#step = 'over';
    this.#close();
  }

  #close(): void {
    const exchange = this.#exchange;
    this.#watch.rest();
    exchange.duration = this.#context.clock.monotonic() - exchange.started;
    this.#chain?.onLog(exchange);
    this.#context.counters.end(exchange);
    this.#generation?.leave();
    this.#host.served();
  }
}

/** What tells well-behaved clients to come again later (RFC 9110 §10.2.3), or not to insist. */
function hintsOf({ flag, retryAfter }: UpstreamError): Record<string, string> {
  const hints: Record<string, string> = {};
  if (retryAfter !== undefined) hints['retry-after'] = String(retryAfter);
  if (flag === 'UO') hints['x-portico-overloaded'] = 'true';
  return hints;
}

function reasonOf(ending: Ending): Error {
  return ending.kind === 'gone' ? ending.reason : new Error(ending.reply.local.details);
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
