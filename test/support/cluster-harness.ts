import * as v from 'valibot';
import { onTestFinished } from 'vitest';
import type { Attempt, UpstreamCluster, UpstreamResponse } from '../../src/cluster/attempt.ts';
import { clusterSchema } from '../../src/cluster/config.ts';
import { Http1Connection } from '../../src/cluster/http1-connection.ts';
import { UndiciConnection } from './undici/undici-connection.ts';
import { createCluster, type Cluster, type ClusterDeps } from '../../src/cluster/index.ts';
import { Cancellation, Headers, noBody, readAll, UpstreamError } from '../../src/http/index.ts';
import { Stats } from '../../src/stats/index.ts';
import {
  scriptedUpstream,
  type Script,
  type ScriptedUpstream,
  type ScriptedUpstreamOptions,
} from './scripted-upstream.ts';

/** Runs every cluster test over another kind of connection than the usual one: `PORTICO_TEST_CONNECTION=undici npm test`. */
const connections: Readonly<Record<string, ClusterDeps['connection']>> = {
  undici: (socket, options) => new UndiciConnection(socket, options),
  http1: (socket, options) => new Http1Connection(socket, options),
};

/** A cluster of its own for one test, from options as an operator would write them. */
export interface TestCluster {
  readonly cluster: Cluster;
  readonly stats: Stats;
  readonly logged: string[];
  /** Value of a metric line that begins so, 0 when there is none: `portico_cluster_pending_requests{`. */
  metric(start: string): Promise<number>;
}

export async function startCluster(
  options: { endpoints: unknown[] } & Record<string, unknown>,
  deps: Partial<ClusterDeps> = {},
): Promise<TestCluster> {
  const config = v.parse(clusterSchema, { name: 'app', ...options });
  const stats = new Stats();
  const logged: string[] = [];
  const connection = connections[process.env['PORTICO_TEST_CONNECTION'] ?? ''];
  const cluster = createCluster(config, {
    ...(connection && { connection }),
    stats,
    clock: { monotonic: () => performance.now() },
    random: () => 0,
    log: { info: (message) => logged.push(message), warn: (message) => logged.push(message) },
    ...deps,
  });
  onTestFinished(() => cluster.close());
  await cluster.start();
  return {
    cluster,
    stats,
    logged,
    async metric(start) {
      const line = (await stats.render()).split('\n').find((one) => one.startsWith(start));
      return line === undefined ? 0 : Number(line.slice(line.lastIndexOf(' ')));
    },
  };
}

/** A scripted upstream that ends with the test. */
export async function startUpstream(
  scripts: Script | Script[],
  options?: ScriptedUpstreamOptions,
): Promise<ScriptedUpstream> {
  const upstream = await scriptedUpstream(scripts, options);
  onTestFinished(() => upstream.close());
  return upstream;
}

/** An attempt with everything at its plainest. */
export function attempt(changes: Partial<Attempt> = {}): Attempt {
  return {
    method: 'GET',
    scheme: 'http',
    authority: 'example.test',
    path: '/',
    headers: new Headers(),
    body: noBody,
    hash: undefined,
    avoid: new Set(),
    isRetry: false,
    perTryTimeout: 0,
    idleTimeout: 0,
    onInform: () => {},
    onEndpoint: () => {},
    cancellation: new Cancellation(),
    ...changes,
  };
}

/** One try as a promise. */
export function send(cluster: UpstreamCluster, tried: Attempt): Promise<UpstreamResponse> {
  return new Promise((resolve, reject) =>
    cluster.send(tried, (outcome) => (outcome instanceof UpstreamError ? reject(outcome) : resolve(outcome))),
  );
}

/** Sends and reads the whole answer. */
export async function exchange(
  { cluster }: TestCluster,
  changes: Partial<Attempt> = {},
): Promise<UpstreamResponse & { text: string }> {
  const answer = await send(cluster, attempt(changes));
  const bytes = await readAll(answer.body, 64 * 1024 * 1024);
  return { ...answer, text: Buffer.from(bytes).toString('latin1') };
}

/** The error that a promise must end with. */
export async function failureOf(promise: Promise<unknown>): Promise<UpstreamError> {
  try {
    await promise;
  } catch (error) {
    return error as UpstreamError;
  }
  throw new Error('it did not fail');
}

/**
 * Asks again and again until it is so. For what shows itself soon but announces nothing.
 * @param patience milliseconds
 */
export async function eventually(
  check: () => boolean | Promise<boolean>,
  what: string,
  patience = 5000,
): Promise<void> {
  const deadline = performance.now() + patience;
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error(`never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Nothing is held any more: no permit, no request, and no connection unless idle. */
export async function atRest({ cluster }: TestCluster): Promise<void> {
  await eventually(() => {
    const { circuit_breakers: used, endpoints, idle_connections } = cluster.show();
    return (
      used.max_requests.used === 0 &&
      used.max_pending_requests.used === 0 &&
      used.max_retries.used === 0 &&
      used.max_connections.used === idle_connections &&
      endpoints.every((endpoint) => endpoint.active_requests === 0)
    );
  }, 'everything given back');
}
