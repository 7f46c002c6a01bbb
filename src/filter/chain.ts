import { inspect } from 'node:util';
import {
  bodyFrom,
  chunksOf,
  isLocalReply,
  localReply,
  type Exchange,
  type LocalReply,
  type Response,
} from '../http/index.ts';
import type { FilterHooks } from './define-filter.ts';

/** A filter at its place in a chain. */
export interface ChainLink {
  readonly id: string;
  readonly hooks: FilterHooks;
  /** In shadow mode a refusal is counted and logged, and the exchange goes on. */
  readonly shadow: boolean;
  /** Told when a hook of this filter threw. */
  failed(hook: keyof FilterHooks, error: unknown, exchange: Exchange): void;
  /** Told when this filter would have refused, were it not in shadow mode. */
  wouldRefuse(reply: LocalReply, exchange: Exchange): void;
}

/**
 * The filters of one route, compiled at load. Requests walk it forwards, responses backwards, and only through the
 * filters that the request reached.
 */
export class FilterChain {
  readonly #links: readonly ChainLink[];
  readonly #onLog: readonly ChainLink[];
  readonly #transformsRequest: boolean;
  readonly #transformsResponse: boolean;

  constructor(links: readonly ChainLink[]) {
    this.#links = links;
    this.#onLog = links.filter((link) => link.hooks.onLog !== undefined);
    this.#transformsRequest = links.some((link) => link.hooks.requestBody !== undefined);
    this.#transformsResponse = links.some((link) => link.hooks.responseBody !== undefined);
  }

  /**
   * Answers undefined when the request may be forwarded, else the refusal. `reached` afterwards is the number of filters
   * that saw the request. Stays synchronous as long as the filters do.
   */
  onRequest(exchange: Exchange, progress: ChainProgress): undefined | LocalReply | Promise<undefined | LocalReply> {
    return this.#requestFrom(0, exchange, progress);
  }

  #requestFrom(
    start: number,
    exchange: Exchange,
    progress: ChainProgress,
  ): undefined | LocalReply | Promise<undefined | LocalReply> {
    const links = this.#links;
    for (let at = start; at < links.length; at++) {
      const link = links[at]!;
      progress.reached = at + 1;
      if (link.hooks.onRequest === undefined) continue;
      let result: void | LocalReply | Promise<void | LocalReply>;
      try {
        result = link.hooks.onRequest(exchange.request, exchange);
      } catch (error) {
        return failure(link, 'onRequest', error, exchange);
      }
      if (result === undefined) continue;
      if (result instanceof Promise) {
        return result.then(
          (reply) => this.#judge(link, reply, exchange) ?? this.#requestFrom(at + 1, exchange, progress),
          (error: unknown) => failure(link, 'onRequest', error, exchange),
        );
      }
      const reply = this.#judge(link, result, exchange);
      if (reply !== undefined) return reply;
    }
    return this.#transformsRequest ? this.#transformRequest(exchange) : undefined;
  }

  #judge(link: ChainLink, reply: LocalReply | void, exchange: Exchange): LocalReply | undefined {
    if (reply === undefined) return undefined;
    if (!isResponse(reply) || !isLocalReply(reply))
      return failure(link, 'onRequest', wrongReturn('onRequest', 'localReply(…)', reply), exchange);
    if (!link.shadow) return reply;
    link.wouldRefuse(reply, exchange);
    return undefined;
  }

  #transformRequest(exchange: Exchange): LocalReply | undefined {
    const { request } = exchange;
    for (const link of this.#links) {
      if (link.hooks.requestBody === undefined || request.body.length === 0) continue;
      try {
        // The generator reads nothing until it is asked, so one that is declined leaves the body as it is.
        const transformed = link.hooks.requestBody(chunksOf(request.body), exchange);
        if (transformed !== undefined) request.body = bodyFrom(transformed);
      } catch (error) {
        return failure(link, 'requestBody', error, exchange);
      }
    }
    return undefined;
  }

  /** Walks backwards through the filters that the request reached. A failing filter turns the response into a 500. */
  onResponse(response: Response, exchange: Exchange, progress: ChainProgress): Response | Promise<Response> {
    return this.#responseFrom(progress.reached - 1, response, exchange, progress);
  }

  #responseFrom(
    start: number,
    first: Response,
    exchange: Exchange,
    progress: ChainProgress,
  ): Response | Promise<Response> {
    let response = first;
    for (let at = start; at >= 0; at--) {
      const link = this.#links[at]!;
      if (link.hooks.onResponse === undefined) continue;
      let result: void | Response | Promise<void | Response>;
      try {
        result = link.hooks.onResponse(response, exchange);
      } catch (error) {
        response = replaced(response, failure(link, 'onResponse', error, exchange));
        continue;
      }
      if (result === undefined) continue;
      if (result instanceof Promise) {
        const current = response;
        return result.then(
          (other) =>
            this.#responseFrom(at - 1, replaced(current, checked(link, other, current, exchange)), exchange, progress),
          (error: unknown) =>
            this.#responseFrom(
              at - 1,
              replaced(current, failure(link, 'onResponse', error, exchange)),
              exchange,
              progress,
            ),
        );
      }
      response = replaced(response, checked(link, result, response, exchange));
    }
    return this.#transformsResponse ? this.#transformResponse(response, exchange, progress) : response;
  }

  #transformResponse(first: Response, exchange: Exchange, progress: ChainProgress): Response {
    let response = first;
    for (let at = progress.reached - 1; at >= 0; at--) {
      const link = this.#links[at]!;
      if (link.hooks.responseBody === undefined || exchange.request.method === 'HEAD' || response.body.length === 0)
        continue;
      try {
        const transformed = link.hooks.responseBody(chunksOf(response.body), exchange);
        if (transformed !== undefined) response.body = bodyFrom(transformed);
      } catch (error) {
        response = replaced(response, failure(link, 'responseBody', error, exchange));
      }
    }
    return response;
  }

  onLog(exchange: Exchange): void {
    for (const link of this.#onLog) {
      try {
        link.hooks.onLog!(exchange);
      } catch (error) {
        link.failed('onLog', error, exchange);
      }
    }
  }
}

/** How far a request came in its chain; one a request, held by serve.ts. */
export interface ChainProgress {
  reached: number;
}

function failure(link: ChainLink, hook: keyof FilterHooks, error: unknown, exchange: Exchange): LocalReply {
  link.failed(hook, error, exchange);
  return localReply(500, `filter_failed{${link.id}}`, { flag: 'FE', body: 'internal error\n' });
}

/** What a response hook has returned; nothing leaves the response as it is. */
function checked(link: ChainLink, returned: void | Response, response: Response, exchange: Exchange): Response {
  if (returned === undefined) return response;
  if (isResponse(returned)) return returned;
  return failure(link, 'onResponse', wrongReturn('onResponse', 'a response', returned), exchange);
}

/** Filters run without their types having been checked. */
function isResponse(value: unknown): value is Response {
  return typeof value === 'object' && value !== null && 'status' in value && 'headers' in value && 'body' in value;
}

function wrongReturn(hook: string, expected: string, value: unknown): TypeError {
  return new TypeError(`${hook} must return nothing or ${expected}, not ${inspect(value, { depth: 0 })}`);
}

/** A response that gives way to another one lets go of its body. */
function replaced(old: Response, other: Response): Response {
  if (other !== old && other.body !== old.body && !isLocalReply(old))
    old.body.cancel(new Error('the response was replaced by a filter'));
  return other;
}
