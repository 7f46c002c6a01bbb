import { Headers, noBody, type Request } from '../http/index.ts';
import type { VirtualHostConfig } from '../router/config.ts';
import type { Route, RouteTable } from '../router/route.ts';
import { queryParameter } from '../router/query-parameter.ts';

/** Once there are enough samples, one request of so many is kept: what costs little is done seldom as well. */
const every = 64;
/** Longer paths, authorities and values are not kept: a thousand samples must stay small. */
const longest = 512;

/** Fields whose value is kept from nobody's eyes by its name alone, so none of it is kept here. */
const credentials = /auth|cookie|token|secret|key|session|password|signature/i;
const hidden = '[redacted]';

/** What of a request decides about its route, besides method, authority and path. */
export interface DecidingNames {
  readonly headers: readonly string[];
  readonly query: readonly string[];
}

/** The names that routes of a configuration look at. */
export function decidingNames(virtualHosts: readonly VirtualHostConfig[]): DecidingNames {
  const matches = virtualHosts.flatMap(({ routes }) => routes.map(({ match }) => match));
  const names = (all: { name: string }[]) => [...new Set(all.map(({ name }) => name))];
  return {
    headers: names(matches.flatMap(({ headers }) => headers)).filter((name) => !/^(?::|host$)/i.test(name)),
    query: names(matches.flatMap(({ query_parameters }) => query_parameters)),
  };
}

/**
 * The last requests, as far as routes look at them: no bodies, no credentials, no query besides parameters that routes
 * name. They tell before a reload which requests would go another way.
 */
export class RequestSamples {
  readonly #most: number;
  readonly #ring: Request[] = [];
  #next = 0;
  #skip = 0;

  /** @param most samples; 0 keeps none */
  constructor(most: number) {
    this.#most = most;
  }

  get all(): readonly Request[] {
    return this.#ring;
  }

  /** The same table, whose requests are sampled. */
  sampling(table: RouteTable, names: DecidingNames): RouteTable {
    if (this.#most === 0) return table;
    return {
      match: (request: Request): Route => {
        if (--this.#skip < 0) this.#keep(request, names);
        return table.match(request);
      },
    };
  }

  #keep(request: Request, names: DecidingNames): void {
    const sample = sampleOf(request, names);
    if (sample === undefined) return;
    this.#ring[this.#next] = sample;
    this.#next = (this.#next + 1) % this.#most;
    this.#skip = this.#ring.length < this.#most ? 0 : every;
  }
}

function sampleOf(request: Request, names: DecidingNames): Request | undefined {
  const { method, scheme, authority, path } = request;
  const end = path.indexOf('?');
  const bare = end < 0 ? path : path.slice(0, end);
  if (bare.length > longest || authority.length > longest || method.length > 32) return undefined;
  const query = end < 0 ? [] : names.query.flatMap((name) => parameter(path, name));
  const headers = new Headers();
  for (const name of names.headers) {
    const value = request.headers.get(name);
    if (value !== undefined && value.length <= longest)
      headers.append(name, credentials.test(name) ? hidden : owned(value));
  }
  const kept = query.length === 0 ? bare : `${bare}?${query.join('&')}`;
  return {
    method: owned(method),
    scheme,
    authority: owned(authority),
    path: owned(kept),
    headers,
    body: noBody,
    upgrade: undefined,
  };
}

function parameter(path: string, name: string): string[] {
  const value = queryParameter(path, name);
  if (value === undefined || value.length > longest) return [];
  return [`${encodeURIComponent(name)}=${credentials.test(name) ? hidden : encodeURIComponent(value)}`];
}

/** A copy: a part of a string keeps the whole alive, which here is a request's head. */
function owned(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}
