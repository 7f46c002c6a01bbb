/** From a configuration to live listeners, a route table and clusters: the one file that knows every room. */
import { collect } from './assemble/collect.ts';
import { fingerprint } from './assemble/fingerprint.ts';
import type { RequestSamples } from './assemble/request-samples.ts';
import { assembleRouting, type Routing } from './assemble/routing.ts';
import type { ClusterDeps } from './cluster/cluster.ts';
import type { LoadedConfig } from './config/index.ts';
import type { Clock } from './filter/define-filter.ts';
import type { FilterDependencies } from './filter/instance.ts';
import { createListener, type Listener, type ListenerDependencies } from './listener/listener.ts';
import { ConfigError, showAddress, type Fault } from './options/index.ts';
import type { Overload } from './overload/index.ts';
import type { ProcessLog } from './process-log.ts';
import type { Stats } from './stats/index.ts';

export type { Routing } from './assemble/routing.ts';

/** What outlives a configuration. */
export interface AssembleParts {
  readonly stats: Stats;
  readonly log: ProcessLog;
  readonly clock: Clock;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** Refuses work when there is too much of it; left out, there never is. */
  readonly overload?: Overload;
  /** Keeps the last requests for comparisons; left out, none are kept. */
  readonly samples?: RequestSamples;
  /** Other implementations of the wire than the default ones, for tests that compare them. */
  readonly http1?: ListenerDependencies['http1'];
  readonly connect?: ClusterDeps['connection'];
  /** Where the sockets of listeners come from; left out, they make their own. */
  readonly openSocket?: ListenerDependencies['openSocket'];
  /** How filters talk to those of other workers; left out, there are none. */
  readonly peers?: FilterDependencies['peers'];
  /** How ceilings of clusters are shared with other workers; left out, there are none. */
  readonly ceilings?: ClusterDeps['ceilings'];
}

/** Everything that a configuration asks for. */
export interface Assembly {
  readonly loaded: LoadedConfig;
  readonly routing: Routing;
  readonly listeners: readonly Listener[];
  /** How it differs from the one before, whose parts it has taken over where they are the same. */
  readonly steps: ListenerSteps;
  /** What listeners ask where exchanges go; it outlives the assembly. */
  readonly live: { routing: Routing };
  /** Makes its routes those of all its listeners. Exchanges that have begun go on by the old ones. */
  activate(): void;
  /** Undoes what was made for it alone; what it has taken over stays with the one before. */
  discard(): Promise<void>;
}

export interface ListenerSteps {
  /** To be opened. */
  readonly open: readonly Listener[];
  /** Same address, other options: the new one gets the socket of the old one, so that nobody is refused. */
  readonly replace: readonly { readonly from: Listener; readonly to: Listener }[];
  /** To be closed, when they are done. */
  readonly close: readonly Listener[];
}

/** What a listener was made from. */
const madeFrom = new WeakMap<Listener, { readonly key: string; readonly address: string }>();

/**
 * Makes everything a configuration asks for, ready to listen and not listening.
 * @param previous what runs now: parts of it that the configuration leaves as they are become parts of the new one
 * @throws ConfigError with every fault that only making it could find; nothing it started goes on then
 */
export async function assemble(loaded: LoadedConfig, parts: AssembleParts, previous?: Assembly): Promise<Assembly> {
  const faults: Fault[] = [];
  const routing = await collect(faults, () => assembleRouting(loaded, parts, previous?.routing.parts));
  const live = previous?.live ?? { routing: routing! };
  const listeners: Listener[] = [];
  for (const [index, config] of loaded.config.listeners.entries()) {
    const key = fingerprint([config.name, loaded.written(['listeners', index]) ?? null]);
    const same = previous?.listeners.find((one) => madeFrom.get(one)?.key === key);
    if (same !== undefined) {
      listeners.push(same);
      continue;
    }
    const listener = await collect(faults, () =>
      createListener(config, {
        routes: () => live.routing.routes,
        refusedChain: () => live.routing.refusedChain,
        generation: () => live.routing.generation,
        stats: parts.stats,
        clock: parts.clock,
        log: parts.log.child(`listener ${config.name}`),
        overload: parts.overload,
        openSocket: parts.openSocket,
        resolvePath: (path) => loaded.resolvePath(path),
        path: ['listeners', index],
        ...(parts.http1 === undefined ? {} : { http1: parts.http1 }),
      }),
    );
    if (listener === undefined) continue;
    madeFrom.set(listener, { key, address: showAddress(config.address) });
    listeners.push(listener);
  }
  const steps = stepsBetween(previous?.listeners ?? [], listeners);
  const made = [...steps.open, ...steps.replace.map(({ to }) => to)];
  async function discard(): Promise<void> {
    for (const listener of made) await listener.close(0);
    await routing?.close();
  }
  if (faults.length > 0 || routing === undefined) {
    await discard();
    throw new ConfigError(faults);
  }
  function activate(): void {
    live.routing = routing!;
    routing!.activate();
  }
  return { loaded, routing, listeners, steps, live, activate, discard };
}

function stepsBetween(before: readonly Listener[], after: readonly Listener[]): ListenerSteps {
  const leaving = new Set(before.filter((one) => !after.includes(one)));
  const open: Listener[] = [];
  const replace: { from: Listener; to: Listener }[] = [];
  for (const to of after.filter((one) => !before.includes(one))) {
    const { address } = madeFrom.get(to)!;
    const there = [...leaving].filter((one) => madeFrom.get(one)!.address === address);
    // Port 0 may stand there more than once, for different ports.
    const from = there.find(({ name }) => name === to.name) ?? there[0];
    if (from === undefined) {
      open.push(to);
    } else {
      leaving.delete(from);
      replace.push({ from, to });
    }
  }
  return { open, replace, close: [...leaving] };
}
