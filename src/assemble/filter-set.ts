import type { UpstreamCluster } from '../cluster/attempt.ts';
import type { ConfiguredFilter, LoadedConfig } from '../config/index.ts';
import { FilterChain } from '../filter/chain.ts';
import type { FilterDefinition } from '../filter/define-filter.ts';
import { createInstance, type FilterDependencies, type FilterInstance } from '../filter/instance.ts';
import { ConfigError, type Fault, type OptionPath } from '../options/index.ts';
import type { RouteConfig } from '../router/config.ts';
import { fingerprint } from './fingerprint.ts';
import { Shared } from './shared.ts';

export type Clusters = ReadonlyMap<string, UpstreamCluster>;

/** A filter at one place of use, as one or several configurations in a row have it. */
interface Unit {
  readonly definition: FilterDefinition;
  readonly instance: Shared<FilterInstance>;
  /** Where its `fetch` finds clusters: those of the configuration in force. */
  readonly directory: { clusters: Clusters };
}

export interface FilterSetParts extends Omit<FilterDependencies, 'cluster'> {
  readonly clusters: Clusters;
  /** The set before this one. What has not changed is taken over from it as it stands, with everything it remembers. */
  readonly previous: FilterSet | undefined;
}

/** The filters of a configuration, each created once per place of use, and the chains made of them. */
export class FilterSet {
  readonly #loaded: LoadedConfig;
  readonly #parts: FilterSetParts;
  /** By what they were made from. */
  readonly #units = new Map<string, Unit>();
  readonly #chains = new Map<RouteConfig, FilterChain>();
  #shared = new FilterChain([]);
  #taken = 0;

  constructor(loaded: LoadedConfig, parts: FilterSetParts) {
    this.#loaded = loaded;
    this.#parts = parts;
  }

  /** The chain of every route that overrides nothing. */
  get shared(): FilterChain {
    return this.#shared;
  }

  /** How many were taken over, and how many were made. */
  get counts(): { readonly kept: number; readonly made: number } {
    return { kept: this.#taken, made: this.#units.size - this.#taken };
  }

  chainOf(route: RouteConfig): FilterChain {
    return this.#chains.get(route) ?? this.#shared;
  }

  async create(faults: Fault[]): Promise<void> {
    const shared = new Map<string, FilterInstance>();
    for (const filter of this.#loaded.filters) {
      if (filter.disabled && !this.#wantedSomewhere(filter)) continue;
      const path = [...filter.path, 'config'];
      const instance = await this.#obtain(filter, filter.config, this.#loaded.written(path), undefined, path, faults);
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
              : await this.#obtain(
                  filter,
                  override.config,
                  [this.#loaded.written([...filter.path, 'config']), this.#loaded.written(override.path)],
                  name,
                  override.path,
                  faults,
                );
          if (instance !== undefined) links.push(instance.link);
        }
        this.#chains.set(route, new FilterChain(links));
      }
    }
  }

  /** From now on its filters find the clusters that belong to it. */
  activate(): void {
    for (const { directory } of this.#units.values()) directory.clusters = this.#parts.clusters;
  }

  async close(): Promise<void> {
    for (const { instance } of this.#units.values()) {
      try {
        await instance.release();
      } catch (error) {
        this.#parts.log.error(`filter ${instance.value.link.id} failed to close`, { error });
      }
    }
    this.#units.clear();
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

  /** @param written what `config` was made from, to tell whether it has changed */
  async #obtain(
    filter: ConfiguredFilter,
    config: unknown,
    written: unknown,
    route: string | undefined,
    path: OptionPath,
    faults: Fault[],
  ): Promise<FilterInstance | undefined> {
    const { id, name, definition, mode } = filter;
    const key = fingerprint([id, name, mode, route ?? null, written ?? null]);
    const { previous } = this.#parts;
    const before = previous === undefined ? undefined : previous.#units.get(key);
    // The file of a filter that has changed was loaded anew and gave another definition.
    if (before?.definition === definition) {
      before.instance.retain();
      this.#taken++;
      this.#units.set(key, before);
      return before.instance.value;
    }
    const directory = { clusters: this.#parts.clusters };
    try {
      const instance = await createInstance(
        { id, name, definition, config, shadow: mode === 'shadow', route },
        { ...this.#parts, cluster: (cluster) => directory.clusters.get(cluster) },
      );
      this.#units.set(key, { definition, instance: new Shared(instance, (one) => one.close()), directory });
      return instance;
    } catch (error) {
      if (error instanceof ConfigError)
        faults.push(...error.faults.map((fault) => ({ ...fault, path: [...path, ...fault.path] })));
      else faults.push({ path, message: error instanceof Error ? error.message : String(error) });
      return undefined;
    }
  }
}
