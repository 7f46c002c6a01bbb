/** From a configuration to live listeners, a route table and clusters: the one file that knows every room. */
import { resolve } from 'node:path';
import { createCluster, type Cluster, type ClusterDeps } from './cluster/cluster.ts';
import type { ConfiguredFilter, LoadedConfig } from './config/index.ts';
import { FilterChain } from './filter/chain.ts';
import type { Clock } from './filter/define-filter.ts';
import { createInstance, type FilterDependencies, type FilterInstance } from './filter/instance.ts';
import { createListener, type Listener, type ListenerDependencies } from './listener/listener.ts';
import { ConfigError, type Fault, type OptionPath } from './options/index.ts';
import type { ProcessLog } from './process-log.ts';
import type { RouteConfig } from './router/config.ts';
import { compileRouteTable } from './router/route-table.ts';
import type { RouteTable } from './router/route.ts';
import type { Stats } from './stats/index.ts';

/** What outlives a configuration. */
export interface AssembleParts {
  readonly stats: Stats;
  readonly log: ProcessLog;
  readonly clock: Clock;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** Other implementations of the wire than the default ones, for tests that compare them. */
  readonly http1?: ListenerDependencies['http1'];
  readonly connect?: ClusterDeps['connection'];
}

/** Where requests go: replaced as a whole by a reload. */
export interface Routing {
  readonly routes: RouteTable;
  /** Filters of requests that were refused before they had a route. */
  readonly refusedChain: FilterChain;
  readonly clusters: readonly Cluster[];
  /** Begins to look for the endpoints of clusters; resolves when each has been asked for once. Never rejects. */
  start(): Promise<void>;
  /** Stops filters and closes connections to the app that are not in use. */
  close(): Promise<void>;
}

export interface Assembly {
  readonly routing: Routing;
  readonly listeners: readonly Listener[];
}

/**
 * Makes everything a configuration asks for, ready to listen and not listening.
 * @throws ConfigError with every fault that only making it could find; nothing it started goes on then
 */
export async function assemble(loaded: LoadedConfig, parts: AssembleParts): Promise<Assembly> {
  const faults: Fault[] = [];
  const routing = await collect(faults, () => assembleRouting(loaded, parts));
  const resolvePath = pathsFrom(loaded);
  const listeners: Listener[] = [];
  for (const [index, config] of loaded.config.listeners.entries()) {
    const listener = await collect(faults, () =>
      createListener(config, {
        routes: () => routing!.routes,
        refusedChain: () => routing!.refusedChain,
        stats: parts.stats,
        clock: parts.clock,
        log: parts.log.child(`listener ${config.name}`),
        resolvePath,
        path: ['listeners', index],
        ...(parts.http1 === undefined ? {} : { http1: parts.http1 }),
      }),
    );
    if (listener !== undefined) listeners.push(listener);
  }
  if (faults.length === 0 && routing !== undefined) return { routing, listeners };
  for (const listener of listeners) await listener.close(0);
  await routing?.close();
  throw new ConfigError(faults);
}

async function assembleRouting(loaded: LoadedConfig, parts: AssembleParts): Promise<Routing> {
  const faults: Fault[] = [];
  const resolvePath = pathsFrom(loaded);
  const clusters = new Map<string, Cluster>();
  for (const [index, config] of loaded.config.clusters.entries()) {
    const path: OptionPath = ['clusters', index];
    if (clusters.has(config.name)) {
      faults.push({ path: [...path, 'name'], message: `another cluster has the name ${config.name} already` });
      continue;
    }
    const { stats, clock, random } = parts;
    const log = parts.log.child(`cluster ${config.name}`);
    const cluster = await collect(
      faults,
      () =>
        createCluster(config, {
          stats,
          clock,
          random,
          log,
          resolvePath,
          ...(parts.connect === undefined ? {} : { connection: parts.connect }),
        }),
      path,
    );
    if (cluster !== undefined) clusters.set(config.name, cluster);
  }
  const filters = new Filters(loaded, {
    stats: parts.stats,
    log: parts.log,
    clock: parts.clock,
    cluster: (name) => clusters.get(name),
    resolvePath,
  });
  async function close(): Promise<void> {
    await filters.close();
    for (const cluster of clusters.values()) cluster.close();
  }
  await filters.create(faults);
  const routes = await collect(faults, () =>
    compileRouteTable(loaded.config.virtual_hosts, {
      cluster: (name) => clusters.get(name),
      clusterNames: clusters.keys(),
      chainFor: (route) => filters.chainOf(route),
      notFoundChain: filters.shared,
      stats: parts.stats,
      random: parts.random,
      clock: parts.clock,
    }),
  );
  if (faults.length > 0 || routes === undefined) {
    await close();
    throw new ConfigError(faults);
  }
  async function start(): Promise<void> {
    await Promise.all([...clusters.values()].map((cluster) => cluster.start()));
  }
  return { routes, refusedChain: filters.shared, clusters: [...clusters.values()], start, close };
}

/** The filters of a configuration, each created once per place of use, and the chains made of them. */
class Filters {
  readonly #loaded: LoadedConfig;
  readonly #deps: FilterDependencies;
  readonly #instances: FilterInstance[] = [];
  readonly #chains = new Map<RouteConfig, FilterChain>();
  #shared = new FilterChain([]);

  constructor(loaded: LoadedConfig, deps: FilterDependencies) {
    this.#loaded = loaded;
    this.#deps = deps;
  }

  /** The chain of every route that overrides nothing. */
  get shared(): FilterChain {
    return this.#shared;
  }

  chainOf(route: RouteConfig): FilterChain {
    return this.#chains.get(route) ?? this.#shared;
  }

  async create(faults: Fault[]): Promise<void> {
    const shared = new Map<string, FilterInstance>();
    for (const filter of this.#loaded.filters) {
      if (filter.disabled && !this.#wantedSomewhere(filter)) continue;
      const instance = await this.#create(filter, filter.config, undefined, [...filter.path, 'config'], faults);
      if (instance !== undefined) shared.set(filter.id, instance);
    }
    const enabled = this.#loaded.filters.filter(({ disabled }) => !disabled);
    this.#shared = new FilterChain(enabled.flatMap(({ id }) => shared.get(id)?.link ?? []));
    for (const [hostIndex, host] of this.#loaded.config.virtual_hosts.entries()) {
      for (const [routeIndex, route] of host.routes.entries()) {
        const overrides = this.#loaded.overridesOf(hostIndex, routeIndex);
        if (overrides.size === 0) continue;
        const links = [];
        for (const filter of this.#loaded.filters) {
          const override = overrides.get(filter.id);
          if (override?.disabled ?? filter.disabled) continue;
          const name = route.name ?? `${host.name}/${routeIndex}`;
          const instance =
            override?.config === undefined
              ? shared.get(filter.id)
              : await this.#create(filter, override.config, name, override.path, faults);
          if (instance !== undefined) links.push(instance.link);
        }
        this.#chains.set(route, new FilterChain(links));
      }
    }
  }

  /** A filter that is off still has to exist when a route switches it on with the options it has here. */
  #wantedSomewhere(filter: ConfiguredFilter): boolean {
    return this.#loaded.config.virtual_hosts.some((host, hostIndex) =>
      host.routes.some((_, routeIndex) => {
        const override = this.#loaded.overridesOf(hostIndex, routeIndex).get(filter.id);
        return override !== undefined && !override.disabled && override.config === undefined;
      }),
    );
  }

  async #create(
    filter: ConfiguredFilter,
    config: unknown,
    route: string | undefined,
    path: OptionPath,
    faults: Fault[],
  ): Promise<FilterInstance | undefined> {
    const { id, name, definition, mode } = filter;
    try {
      const instance = await createInstance(
        { id, name, definition, config, shadow: mode === 'shadow', route },
        this.#deps,
      );
      this.#instances.push(instance);
      return instance;
    } catch (error) {
      if (error instanceof ConfigError)
        faults.push(...error.faults.map((fault) => ({ ...fault, path: [...path, ...fault.path] })));
      else faults.push({ path, message: error instanceof Error ? error.message : String(error) });
      return undefined;
    }
  }

  async close(): Promise<void> {
    for (const instance of this.#instances) {
      try {
        await instance.close();
      } catch (error) {
        this.#deps.log.error(`filter ${instance.link.id} failed to close`, { error });
      }
    }
  }
}

function pathsFrom(loaded: LoadedConfig): (path: string) => string {
  return (path) => resolve(loaded.folder, path);
}

/**
 * Goes on after a faulty part, so that all faults are told at once.
 * @param at what the paths of its faults start from
 */
async function collect<T>(faults: Fault[], make: () => T | Promise<T>, at: OptionPath = []): Promise<T | undefined> {
  try {
    return await make();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    faults.push(...error.faults.map((fault) => ({ ...fault, path: [...at, ...fault.path] })));
    return undefined;
  }
}
