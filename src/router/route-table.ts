import type { UpstreamCluster } from '../cluster/attempt.ts';
import type { FilterChain } from '../filter/chain.ts';
import { localReply, pathOf, type Request } from '../http/index.ts';
import { ConfigError, didYouMean, type Fault, type OptionPath } from '../options/index.ts';
import type { Stats } from '../stats/index.ts';
import type { ForwardConfig, RouteConfig, VirtualHostConfig } from './config.ts';
import { compileDirectResponse } from './direct-response.ts';
import { Countdown } from './countdown.ts';
import { compileForward, type ForwardTarget } from './forward.ts';
import { compileHashPolicy } from './hash-policy.ts';
import { compileHeaderEdits } from './header-edits.ts';
import { compileRedirect } from './redirect.ts';
import { compileRetryPolicy } from './retry-policy.ts';
import { compileRewrite } from './rewrite.ts';
import { RouteIndex } from './route-index.ts';
import type { Route, RouteTable } from './route.ts';
import { forwardStats, type ForwardStats } from './router-stats.ts';
import { VirtualHostIndex } from './virtual-host-index.ts';
import { compileWeighted } from './weighted-clusters.ts';

/** What a route table is made with. */
export interface RouteTableParts {
  cluster(name: string): UpstreamCluster | undefined;
  /** All names that `cluster` knows, to tell what a mistyped one was meant to be. */
  readonly clusterNames: Iterable<string>;
  /** Filters of a route, with its `per_filter_config`. A ConfigError thrown here is told with the others. */
  chainFor(route: RouteConfig, routeName: string): FilterChain;
  /** Filters of requests that no route matches. */
  readonly notFoundChain: FilterChain;
  readonly stats: Stats;
  /** From 0 to below 1. */
  random(): number;
  readonly clock: { monotonic(): number };
  /** Milliseconds, 0 is off: of upstream requests on routes without `idle_timeout`. Default 0: the listener watches the exchange. */
  readonly idleTimeout?: number;
  /** Where the virtual hosts stand in the configuration. Default `virtual_hosts`. */
  readonly path?: OptionPath;
}

/** @throws ConfigError with every fault that takes more than one option to see */
export function compileRouteTable(virtualHosts: readonly VirtualHostConfig[], parts: RouteTableParts): RouteTable {
  const faults: Fault[] = [];
  const compiler = new Compiler(parts, faults);
  const index = new VirtualHostIndex<CompiledHost>();
  const names = new Names(faults, 'virtual host');
  for (const [at, host] of virtualHosts.entries()) {
    const path = [...(parts.path ?? ['virtual_hosts']), at];
    names.add(host.name, [...path, 'name']);
    const compiled = compiler.host(host, path);
    for (const [place, domain] of host.domains.entries()) {
      if (index.add(domain, compiled)) continue;
      faults.push({
        path: [...path, 'domains', place],
        message: `${domain} is served already; each domain may be named once`,
      });
    }
  }
  if (faults.length > 0) throw new ConfigError(faults);

  const nowhere = notFound('', parts.notFoundChain, (_, receiver) =>
    receiver.answer(localReply(404, 'route_not_found', { flag: 'NR' })),
  );
  return {
    match(request: Request): Route {
      const host = index.find(request.authority);
      if (host === undefined) return nowhere;
      return host.routes.find(request, pathOf(request.path)) ?? host.notFound;
    },
  };
}

interface CompiledHost {
  readonly routes: RouteIndex<Route>;
  readonly notFound: Route;
}

function notFound(virtualHost: string, chain: FilterChain, answer: Route['answer']): Route {
  return { facts: { virtualHost, route: 'not_found' }, chain, idleTimeout: undefined, upgrades: none, answer };
}

const none: ReadonlySet<string> = new Set();

/** Faults are collected, and what is faulty is left out: nobody gets to use a table that has some. */
class Compiler {
  readonly #parts: RouteTableParts;
  readonly #faults: Fault[];
  readonly #statsOf: (cluster: string) => ForwardStats;
  readonly #clusterNames: readonly string[];

  constructor(parts: RouteTableParts, faults: Fault[]) {
    this.#parts = parts;
    this.#faults = faults;
    this.#statsOf = forwardStats(parts.stats);
    this.#clusterNames = [...parts.clusterNames];
  }

  host(host: VirtualHostConfig, path: OptionPath): CompiledHost {
    const names = new Names(this.#faults, 'route');
    const routes = host.routes.map((route, at) => {
      const name = route.name ?? `${host.name}/${at}`;
      const place = [...path, 'routes', at];
      names.add(name, [...place, 'name']);
      return { match: route.match, value: this.#route(host, route, name, place) };
    });
    const edit = compileHeaderEdits(host.response_headers);
    return {
      routes: new RouteIndex(routes),
      notFound: notFound(host.name, this.#parts.notFoundChain, (_, receiver) => {
        const reply = localReply(404, 'route_not_found', { flag: 'NR' });
        edit?.(reply.headers);
        receiver.answer(reply);
      }),
    };
  }

  #route(host: VirtualHostConfig, config: RouteConfig, name: string, path: OptionPath): Route {
    return {
      facts: { virtualHost: host.name, route: name },
      chain: this.#chain(config, name, path),
      idleTimeout: config.route?.idle_timeout,
      upgrades: new Set(config.route?.upgrades),
      answer: this.#action(host, config, path),
    };
  }

  #chain(config: RouteConfig, name: string, path: OptionPath): FilterChain {
    try {
      return this.#parts.chainFor(config, name);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.#faults.push(...error.faults.map((fault) => (fault.path.length > 0 ? fault : { ...fault, path })));
      return this.#parts.notFoundChain;
    }
  }

  #action(host: VirtualHostConfig, config: RouteConfig, path: OptionPath): Route['answer'] {
    const editResponse = compileHeaderEdits(host.response_headers, config.response_headers);
    if (config.redirect !== undefined) return compileRedirect(config.redirect, config.match, editResponse);
    if (config.direct_response !== undefined) return compileDirectResponse(config.direct_response, editResponse);
    const action = config.route!;
    const { clock, idleTimeout } = this.#parts;
    return compileForward({
      pickTarget: this.#targets(action, [...path, 'route']),
      timeout: action.timeout,
      perTryTimeout: action.retry_policy.per_try_timeout,
      idleTimeout: action.idle_timeout ?? idleTimeout ?? 0,
      rewrite: compileRewrite(config.match, action.prefix_rewrite, action.regex_rewrite),
      host: action.host_rewrite,
      hash: compileHashPolicy(action.hash_policy),
      retry: compileRetryPolicy(action.retry_policy),
      replayLimit: action.retry_policy.max_request_bytes,
      upgrades: new Set(action.upgrades),
      editRequest: compileHeaderEdits(host.request_headers, config.request_headers),
      editResponse,
      random: () => this.#parts.random(),
      clock,
      countdown: action.timeout > 0 ? new Countdown(action.timeout) : undefined,
    });
  }

  #targets(action: ForwardConfig, path: OptionPath): () => ForwardTarget {
    if (action.cluster !== undefined) {
      const target = this.#target(action.cluster, [...path, 'cluster']);
      return () => target!;
    }
    const shares = action.weighted_clusters!;
    const choices = shares.map(({ name, weight }, at) => ({
      value: this.#target(name, [...path, 'weighted_clusters', at, 'name'])!,
      weight,
    }));
    if (shares.every(({ weight }) => weight === 0)) {
      this.#faults.push({
        path: [...path, 'weighted_clusters'],
        message: 'all weights are 0; at least one must be more',
      });
    }
    const pick = compileWeighted(choices);

    return () => pick(this.#parts.random());
  }

  #target(name: string, path: OptionPath): ForwardTarget | undefined {
    const cluster = this.#parts.cluster(name);
    if (cluster !== undefined) return { cluster, stats: this.#statsOf(name) };
    const known = this.#clusterNames;
    const meant = didYouMean(name, known);
    const hint = meant === undefined ? `the clusters are: ${known.join(', ') || 'none'}` : `did you mean ${meant}?`;
    this.#faults.push({ path, message: `there is no cluster ${name}; ${hint}` });
    return undefined;
  }
}

/** Names that may be given once. */
class Names {
  readonly #faults: Fault[];
  readonly #what: string;
  readonly #seen = new Set<string>();

  constructor(faults: Fault[], what: string) {
    this.#faults = faults;
    this.#what = what;
  }

  add(name: string, path: OptionPath): void {
    if (this.#seen.has(name))
      this.#faults.push({ path, message: `another ${this.#what} has the name ${name} already` });
    this.#seen.add(name);
  }
}
