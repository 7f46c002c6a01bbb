import { createCluster, type Cluster } from '../cluster/cluster.ts';
import type { LoadedConfig } from '../config/index.ts';
import type { FilterChain } from '../filter/chain.ts';
import { ConfigError, type Fault, type OptionPath } from '../options/index.ts';
import { compileRouteTable } from '../router/route-table.ts';
import type { RouteTable } from '../router/route.ts';
import type { AssembleParts } from '../assemble.ts';
import { collect } from './collect.ts';
import { FilterSet } from './filter-set.ts';
import { fingerprint, stamp } from './fingerprint.ts';
import { Generation } from './generation.ts';
import { decidingNames } from './request-samples.ts';
import { Shared } from './shared.ts';

/** How much of something was taken over from the configuration before, and how much was made. */
export interface Counts {
  readonly kept: number;
  readonly made: number;
}

/** Where requests go: replaced as a whole by a reload. */
export interface Routing {
  readonly routes: RouteTable;
  /** The same, not sampled. */
  readonly table: RouteTable;
  /** Filters of requests that were refused before they had a route. */
  readonly refusedChain: FilterChain;
  readonly clusters: readonly Cluster[];
  /** Those who go by it. */
  readonly generation: Generation;
  readonly counts: { readonly clusters: Counts; readonly filters: Counts };
  /** What a next one may take over. */
  readonly parts: RoutingParts;
  /** Begins to look for the endpoints of new clusters; resolves when each has been asked for once. Never rejects. */
  start(): Promise<void>;
  /** It is in force now. */
  activate(): void;
  /** Closes what no other routing uses: filters, and connections to the app that are not in use. */
  close(): Promise<void>;
}

interface ClusterUnit {
  /** What it was made from. */
  readonly key: string;
  readonly cluster: Shared<Cluster>;
}

export interface RoutingParts {
  readonly clusters: ReadonlyMap<string, ClusterUnit>;
  readonly filters: FilterSet;
}

/** @throws ConfigError with every fault; nothing that it started goes on then */
export async function assembleRouting(
  loaded: LoadedConfig,
  parts: AssembleParts,
  previous?: RoutingParts,
): Promise<Routing> {
  const faults: Fault[] = [];
  const resolvePath = (path: string) => loaded.resolvePath(path);
  const units = new Map<string, ClusterUnit>();
  const fresh: Cluster[] = [];
  for (const [index, config] of loaded.config.clusters.entries()) {
    const path: OptionPath = ['clusters', index];
    if (units.has(config.name)) {
      faults.push({ path: [...path, 'name'], message: `another cluster has the name ${config.name} already` });
      continue;
    }
    const key = `${fingerprint(loaded.written(path) ?? config)} ${stamp(clusterFiles(config).map(resolvePath))}`;
    const before = previous?.clusters.get(config.name);
    if (before?.key === key) {
      before.cluster.retain();
      units.set(config.name, before);
      continue;
    }
    const { stats, clock, random, connect, ceilings } = parts;
    const affordable = parts.overload?.connectionsWithinFiles;
    const log = parts.log.child(`cluster ${config.name}`);
    const connection = connect === undefined ? {} : { connection: connect };
    const cluster = await collect(
      faults,
      () => createCluster(config, { stats, clock, random, log, resolvePath, ceilings, affordable, ...connection }),
      path,
    );
    if (cluster === undefined) continue;
    fresh.push(cluster);
    units.set(config.name, { key, cluster: new Shared(cluster, (one) => one.close()) });
  }
  const clusters = new Map([...units].map(([name, { cluster }]) => [name, cluster.value]));
  const filters = new FilterSet(loaded, { ...parts, resolvePath, clusters, previous: previous?.filters });
  let closed = false;
  async function close(): Promise<void> {
    if (closed) return;
    closed = true;
    await filters.close();
    for (const { cluster } of units.values()) await cluster.release();
  }
  await filters.create(faults);
  const table = await collect(faults, () =>
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
  if (faults.length > 0 || table === undefined) {
    await close();
    throw new ConfigError(faults);
  }
  return {
    routes: parts.samples?.sampling(table, decidingNames(loaded.config.virtual_hosts)) ?? table,
    table,
    refusedChain: filters.shared,
    clusters: [...clusters.values()],
    generation: new Generation(),
    counts: {
      clusters: { kept: clusters.size - fresh.length, made: fresh.length },
      filters: filters.counts,
    },
    parts: { clusters: units, filters },
    async start() {
      await Promise.all(fresh.map((cluster) => cluster.start()));
    },
    activate: () => filters.activate(),
    close,
  };
}

/** Files that a cluster reads when it is made. */
export function clusterFiles({ tls }: LoadedConfig['config']['clusters'][number]): string[] {
  return [tls?.ca, tls?.certificate, tls?.private_key].filter((path) => path !== undefined);
}
