import type { LoadedConfig } from '../config/index.ts';
import type { Request } from '../http/index.ts';
import type { RouteTable } from '../router/route.ts';
import { fingerprint } from './fingerprint.ts';
import { decidingNames } from './request-samples.ts';

/** Requests that a new configuration would treat otherwise than the one in force. */
export interface RouteDifference {
  /** How many of the sampled requests. */
  readonly requests: number;
  /** Up to three of them: `GET shop.example/cart`. */
  readonly examples: readonly string[];
  /** `virtual host shop, route cart: cluster app`. */
  readonly before: string;
  readonly after: string;
  /** Options that differ, when it is the same route: `route.timeout`. */
  readonly changed: readonly string[];
}

export interface RouteComparison {
  /** Number of sampled requests that were compared. */
  readonly sampled: number;
  readonly differences: readonly RouteDifference[];
  /** Headers and query parameters that only the new routes look at: the samples do not know them. */
  readonly unknown: readonly string[];
}

/** A route table, with what the configuration says about its routes. */
export interface RoutePlan {
  readonly table: RouteTable;
  readonly loaded: LoadedConfig;
}

const mostDifferences = 100;

/** Lets both tables choose for every sample. Sends nothing to anybody. */
export function compareRoutes(samples: readonly Request[], before: RoutePlan, after: RoutePlan): RouteComparison {
  const treatmentBefore = treatments(before.loaded);
  const treatmentAfter = treatments(after.loaded);
  const found = new Map<string, { requests: number; examples: string[]; one: Treatment; other: Treatment }>();
  for (const sample of samples) {
    const one = treatmentBefore(before.table.match(sample).facts);
    const other = treatmentAfter(after.table.match(sample).facts);
    if (one.key === other.key) continue;
    const key = `${one.key}\n${other.key}`;
    let difference = found.get(key);
    if (difference === undefined) found.set(key, (difference = { requests: 0, examples: [], one, other }));
    difference.requests++;
    const example = `${sample.method} ${sample.authority}${sample.path}`;
    if (difference.examples.length < 3 && !difference.examples.includes(example)) difference.examples.push(example);
  }
  const differences = [...found.values()]
    .sort((a, b) => b.requests - a.requests)
    .slice(0, mostDifferences)
    .map(({ requests, examples, one, other }) => ({
      requests,
      examples,
      before: one.shown,
      after: other.shown,
      changed: changedOptions(one.options, other.options),
    }));
  return { sampled: samples.length, differences, unknown: unknownNames(before.loaded, after.loaded) };
}

interface Treatment {
  /** Equal for equal treatment. The place of a route without a name in its list is none of it. */
  readonly key: string;
  readonly shown: string;
  readonly options: Readonly<Record<string, unknown>>;
}

type Written = Readonly<Record<string, unknown>>;

/** What happens to requests of each route, by its facts. */
function treatments(loaded: LoadedConfig): (facts: { virtualHost: string; route: string }) => Treatment {
  const known = new Map<string, Treatment>();
  for (const [hostIndex, host] of loaded.config.virtual_hosts.entries()) {
    const hostWritten = (loaded.written(['virtual_hosts', hostIndex]) ?? {}) as Written;
    for (const [routeIndex, route] of host.routes.entries()) {
      const written = (loaded.written(['virtual_hosts', hostIndex, 'routes', routeIndex]) ?? {}) as Written;
      const { match: _match, name: _name, ...action } = written;
      const options: Written = {
        ...action,
        'virtual host request_headers': hostWritten['request_headers'],
        'virtual host response_headers': hostWritten['response_headers'],
      };
      const name = route.name ?? `${host.name}/${routeIndex}`;
      const shown = `virtual host ${host.name}, route ${name}: ${showAction(route)}`;
      const key = fingerprint([host.name, route.name ?? null, showAction(route), options]);
      known.set(`${host.name}\n${name}`, { key, shown, options });
    }
  }
  return ({ virtualHost, route }) =>
    known.get(`${virtualHost}\n${route}`) ?? {
      key: `not_found of ${virtualHost}`,
      shown: virtualHost === '' ? 'no virtual host: 404' : `virtual host ${virtualHost}, no route: 404`,
      options: {},
    };
}

type Routes = LoadedConfig['config']['virtual_hosts'][number]['routes'][number];

function showAction({ route, redirect, direct_response }: Routes): string {
  if (direct_response !== undefined) return `answer ${direct_response.status}`;
  if (redirect !== undefined) return 'redirect';
  if (route?.cluster !== undefined) return `cluster ${route.cluster}`;
  return `clusters ${(route?.weighted_clusters ?? []).map(({ name, weight }) => `${name} (${weight})`).join(', ')}`;
}

/** Paths of at most two steps: `route.timeout`. */
function changedOptions(before: Written, after: Written, above = ''): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].flatMap((name) => {
    const [one, other] = [before[name], after[name]];
    if (fingerprint(one ?? null) === fingerprint(other ?? null)) return [];
    if (above === '' && isMapping(one) && isMapping(other)) return changedOptions(one, other, `${name}.`);
    return [`${above}${name}`];
  });
}

function isMapping(value: unknown): value is Written {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function unknownNames(before: LoadedConfig, after: LoadedConfig): string[] {
  const [old, fresh] = [before, after].map(({ config }) => decidingNames(config.virtual_hosts));
  return [
    ...fresh!.headers.filter((name) => !old!.headers.includes(name)).map((name) => `header ${name}`),
    ...fresh!.query.filter((name) => !old!.query.includes(name)).map((name) => `query parameter ${name}`),
  ];
}
