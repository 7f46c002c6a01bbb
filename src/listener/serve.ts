import type { ChainProgress, FilterChain } from '../filter/chain.ts';
import type { Clock, FilterLog } from '../filter/define-filter.ts';
import {
  isLocalReply,
  localReply,
  UpstreamError,
  type Exchange,
  type LocalReply,
  type Response,
  type Tunnel,
} from '../http/index.ts';
import type { Overload } from '../overload/index.ts';
import type { Route, RouteTable } from '../router/route.ts';
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

/**
 * The story of one exchange, from the request head to the log line. Never rejects.
 * @param refused the answer, when the codec has found the request malformed: it has no route then
 */
export async function serve(
  exchange: Exchange,
  writer: ResponseWriter,
  watch: Watch,
  context: ServeContext,
  refused?: LocalReply,
): Promise<void> {
  refused ??= context.overload?.refusal();
  context.counters.begin();
  const generation = context.generation?.();
  generation?.enter();
  const progress: ChainProgress = { reached: 0 };
  let chain: FilterChain | undefined;
  try {
    const route = refused === undefined ? context.routes().match(exchange.request) : undefined;
    chain = route?.chain ?? context.refusedChain();
    if (route !== undefined) exchange.route = route.facts;
    watch.startIdleTimer(route?.idleTimeout ?? context.streamIdleTimeout, () => watch.end(silence()));

    const answer =
      refused ?? (await unlessEnded(answerOf(route!, exchange, writer, progress, context), exchange, watch));
    if (answer === gone) {
      disconnected(exchange);
    } else if (answer.tunnel !== undefined) {
      await tunnelled(exchange, answer, watch, context);
    } else {
      const result = edited(chain, answer, exchange, progress, watch, context);
      const response = result instanceof Promise ? await result : result;
      if (response === gone) disconnected(exchange);
      else await deliver(response, exchange, writer, watch, context);
    }
  } catch (error) {
    context.log.error('serving failed', { error: describe(error), listener: exchange.downstream.listener });
    exchange.responseCodeDetails = 'internal_error';
    writer.abort(error instanceof Error ? error : new Error(String(error)));
  } finally {
    watch.stopIdleTimer();
    watch.onEnd(() => {});
    exchange.duration = context.clock.monotonic() - exchange.started;
    chain?.onLog(exchange);
    context.counters.end(exchange);
    generation?.leave();
  }
}

/** The answer of a filter, of the route, or the one that an error is turned into. Never rejects. */
async function answerOf(
  route: Route,
  exchange: Exchange,
  writer: ResponseWriter,
  progress: ChainProgress,
  context: ServeContext,
): Promise<Response> {
  try {
    const judged = route.chain.onRequest(exchange, progress);
    const refusal = judged instanceof Promise ? await judged : judged;
    if (refusal !== undefined) return refusal;
    if (exchange.cancellation.reason !== undefined) throw exchange.cancellation.reason;
    return await route.answer(exchange, (status, headers) => {
      watchful(() => writer.inform(status, headers), context);
    });
  } catch (error) {
    return replyTo(error, exchange, context);
  }
}

/** The only place where an error becomes an answer. The client learns the name of the failure and nothing of its inside. */
function replyTo(error: unknown, exchange: Exchange, context: ServeContext): LocalReply {
  if (error instanceof UpstreamError) {
    if (exchange.upstream !== undefined) exchange.upstream.failure ??= error.message;
    return localReply(error.status, error.details, { flag: error.flag, headers: hintsOf(error) });
  }
  if (exchange.cancellation.reason === undefined) {
    context.log.error('unexpected error while answering', { error: describe(error), route: exchange.route.route });
  }
  return localReply(500, 'internal_error', { body: 'internal error\n' });
}

/** What tells well-behaved clients to come again later (RFC 9110 §10.2.3), or not to insist. */
function hintsOf({ flag, retryAfter }: UpstreamError): Record<string, string> {
  const hints: Record<string, string> = {};
  if (retryAfter !== undefined) hints['retry-after'] = String(retryAfter);
  if (flag === 'UO') hints['x-portico-overloaded'] = 'true';
  return hints;
}

const gone = Symbol('the client is gone');

function silence(): Ending {
  return { kind: 'reply', reply: localReply(408, 'stream_idle_timeout', { flag: 'SI' }) };
}

/**
 * Waits for an answer, but no longer than somebody waits for it. Whoever works on it then is told to stop, and an answer
 * that comes too late is let go of.
 */
function unlessEnded(answer: Promise<Response>, exchange: Exchange, watch: Watch): Promise<Response | typeof gone> {
  return new Promise((resolve, reject) => {
    let ended = false;
    watch.onEnd((ending) => {
      ended = true;
      exchange.cancellation.cancel(reasonOf(ending));
      if (ending.kind === 'gone') return resolve(gone);
      watch.answered();
      resolve(ending.reply);
    });
    answer.then((response) => {
      if (ended) response.body.cancel(new Error('the answer came too late'));
      else resolve(response);
    }, reject);
  });
}

function reasonOf(ending: Ending): Error {
  return ending.kind === 'gone' ? ending.reason : new Error(ending.reply.local.details);
}

/** Lets the filters that saw the request see the response. Stays synchronous as long as they do. */
function edited(
  chain: FilterChain,
  answer: Response,
  exchange: Exchange,
  progress: ChainProgress,
  watch: Watch,
  context: ServeContext,
): Response | Promise<Response | typeof gone> {
  account(answer, exchange);
  if (context.via !== '' && !isLocalReply(answer)) answer.headers.append('via', `1.1 ${context.via}`);
  const result = chain.onResponse(answer, exchange, progress);
  if (result instanceof Promise) return editedLater(result, answer, exchange, watch);
  if (result !== answer) account(result, exchange);
  return result;
}

async function editedLater(
  result: Promise<Response>,
  answer: Response,
  exchange: Exchange,
  watch: Watch,
): Promise<Response | typeof gone> {
  const response = await unlessEnded(result, exchange, watch);
  if (response === gone) answer.body.cancel(new Error('the client is gone'));
  else if (response !== answer) account(response, exchange);
  return response;
}

/** Writes what the log shall say of an answer. */
function account(response: Response, exchange: Exchange): void {
  exchange.response = response;
  if (isLocalReply(response)) {
    exchange.responseCodeDetails = response.local.details;
    if (response.local.flag !== undefined) exchange.addFlag(response.local.flag);
  } else {
    exchange.responseCodeDetails = 'via_upstream';
  }
}

async function deliver(
  response: Response,
  exchange: Exchange,
  writer: ResponseWriter,
  watch: Watch,
  context: ServeContext,
): Promise<void> {
  let cut: Ending | undefined;
  watch.onEnd((ending) => {
    cut = ending;
    exchange.cancellation.cancel(reasonOf(ending));
    writer.abort(reasonOf(ending));
  });
  let failure: Error | undefined;
  try {
    failure = await writer.send(response);
  } catch (error) {
    // The head could not be written: a field that this protocol cannot carry.
    context.log.warn('response head refused', { error: describe(error), route: exchange.route.route });
    response.body.cancel(error instanceof Error ? error : new Error(String(error)));
    const instead = localReply(502, 'response_head_invalid', { flag: 'UPE' });
    account(instead, exchange);
    failure = await writer.send(instead);
  }
  if (failure === undefined) return;
  // When the app breaks off, the stream to the client ends too, and what that looks like must not hide the cause.
  const appBrokeOff = failure instanceof UpstreamError && failure.flag !== 'DC';
  if (cut?.kind === 'gone' && !appBrokeOff) {
    disconnected(exchange);
  } else if (cut?.kind === 'reply') {
    exchange.responseCodeDetails = cut.reply.local.details;
    if (cut.reply.local.flag !== undefined) exchange.addFlag(cut.reply.local.flag);
  } else if (failure instanceof UpstreamError) {
    exchange.responseCodeDetails = failure.details;
    exchange.addFlag(failure.flag);
  } else {
    exchange.responseCodeDetails = 'response_body_failed';
    context.log.warn('response broken off', { error: describe(failure), route: exchange.route.route });
  }
}

/** The answer is on the socket already and the connection has left HTTP. */
async function tunnelled(exchange: Exchange, answer: Response, watch: Watch, context: ServeContext): Promise<void> {
  watch.stopIdleTimer();
  account(answer, exchange);
  exchange.responseDuration = context.clock.monotonic() - exchange.started;
  context.tunnels?.add(answer.tunnel!);
  const { bytesReceived, bytesSent } = await answer.tunnel!.ended;
  context.tunnels?.delete(answer.tunnel!);
  exchange.bytesReceived += bytesReceived;
  exchange.bytesSent += bytesSent;
}

/** Nobody waits for the answer any more. The log says 499, as nginx made customary, if there was no answer yet. */
function disconnected(exchange: Exchange): void {
  exchange.response ??= localReply(499, 'downstream_disconnected');
  exchange.addFlag('DC');
  exchange.responseCodeDetails = 'downstream_disconnected';
}

/** An interim response is never worth an exchange. */
function watchful(act: () => void, context: ServeContext): void {
  try {
    act();
  } catch (error) {
    context.log.debug('interim response not sent', { error: describe(error) });
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
