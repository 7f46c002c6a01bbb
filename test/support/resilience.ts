import { frontConfig, type FrontConfigOptions } from './front-config.ts';
import { startPortico, type Portico, type PorticoOptions } from './portico.ts';

export interface FrontOptions extends FrontConfigOptions {
  readonly portico?: PorticoOptions;
}

/** A running Portico in front of an app, stopped with the test. */
export function startFront(endpoints: readonly string[], options: FrontOptions = {}): Promise<Portico> {
  return startPortico(frontConfig(endpoints, options), options.portico);
}

/** Value of a metric of the cluster `app`, 0 when it is not there. */
export async function clusterMetric(portico: Portico, name: string, more = ''): Promise<number> {
  return (await portico.metric(`portico_cluster_${name}{cluster="app"${more}}`)) ?? 0;
}

/** Waits until nothing is held any more: requests, permits, places in the queue. */
export async function backToRest(portico: Portico): Promise<void> {
  const deadline = performance.now() + 3000;
  for (;;) {
    const held: [string, number][] = [];
    for (const name of ['upstream_requests_active', 'pending_requests', 'held_requests']) {
      held.push([name, await clusterMetric(portico, name)]);
    }
    if (held.every(([, value]) => value === 0)) return;
    if (performance.now() > deadline) throw new Error(`still held: ${JSON.stringify(held)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
