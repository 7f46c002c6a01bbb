import * as v from 'valibot';
import { FilterChain } from '../../../src/filter/chain.ts';
import {
  Exchange,
  Headers,
  noBody,
  readAll,
  type Body,
  type Downstream,
  type Request,
  type Response,
  type Upgrade,
} from '../../../src/http/index.ts';
import {
  routeSchema,
  virtualHostSchema,
  type RouteConfig,
  type VirtualHostConfig,
} from '../../../src/router/config.ts';
import { compileRouteTable, type RouteTableParts } from '../../../src/router/route-table.ts';
import type { AnswerReceiver, RouteTable } from '../../../src/router/route.ts';
import { Stats } from '../../../src/stats/index.ts';
import { ScriptedCluster } from './scripted-cluster.ts';

export interface RequestParts {
  method?: string;
  scheme?: 'http' | 'https';
  authority?: string;
  path?: string;
  headers?: Record<string, string | readonly string[]>;
  body?: Body;
  upgrade?: Upgrade;
}

export function request(parts: RequestParts = {}): Request {
  return {
    method: parts.method ?? 'GET',
    scheme: parts.scheme ?? 'http',
    authority: parts.authority ?? 'app.example',
    path: parts.path ?? '/',
    headers: Headers.of(parts.headers ?? {}),
    body: parts.body ?? noBody,
    upgrade: parts.upgrade,
  };
}

const downstream: Downstream = {
  listener: 'http',
  connectionId: 1,
  remoteAddress: '192.0.2.1',
  remotePort: 40000,
  localAddress: '127.0.0.1',
  localPort: 80,
  tls: undefined,
};

export function exchange(parts: RequestParts = {}, clientAddress = '192.0.2.1'): Exchange {
  return new Exchange(downstream, 'HTTP/1.1', request(parts), clientAddress, { time: 0, monotonic: 0 });
}

type RouteInput = v.InferInput<typeof routeSchema>;
type HostInput = v.InferInput<typeof virtualHostSchema>;

export function routeConfig(input: RouteInput): RouteConfig {
  return v.parse(routeSchema, input);
}

export function hostConfig(input: HostInput): VirtualHostConfig {
  return v.parse(virtualHostSchema, input);
}

/** The paths and messages of what is wrong with a route. */
export function faultsOf(schema: v.GenericSchema, input: unknown): string[] {
  const result = v.safeParse(schema, input);
  return (result.issues ?? []).map((issue) => `${v.getDotPath(issue) ?? ''}: ${issue.message}`);
}

export interface World extends Partial<RouteTableParts> {
  clusters?: ScriptedCluster[];
}

export function table(hosts: HostInput[], world: World = {}): RouteTable {
  const clusters = world.clusters ?? [new ScriptedCluster()];
  return compileRouteTable(hosts.map(hostConfig), {
    cluster: (name) => clusters.find((cluster) => cluster.name === name),
    clusterNames: clusters.map((cluster) => cluster.name).values(),
    chainFor: () => new FilterChain([]),
    notFoundChain: new FilterChain([]),
    stats: new Stats(),
    random: () => 0,
    clock: { monotonic: () => 0 },
    ...world,
  });
}

/** A table of one virtual host for every domain. */
export function tableOf(routes: RouteInput[], world: World = {}): RouteTable {
  return table([{ name: 'app', domains: ['*'], routes }], world);
}

export function answer(
  routes: RouteTable,
  of: Exchange,
  inform: AnswerReceiver['inform'] = () => {},
): Promise<Response> {
  return new Promise((resolve, reject) =>
    routes.match(of.request).answer(of, {
      inform,
      answer: (outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome)),
    }),
  );
}

export async function textOf(body: Body): Promise<string> {
  return Buffer.from(await readAll(body, 1 << 24)).toString();
}

/** Repeatable numbers from 0 to below 1 (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
