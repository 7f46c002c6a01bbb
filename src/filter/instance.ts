import type { UpstreamCluster } from '../cluster/attempt.ts';
import type { Stats } from '../stats/index.ts';
import type { ChainLink } from './chain.ts';
import type {
  Clock,
  FilterContext,
  FilterDefinition,
  FilterHooks,
  FilterLog,
  FilterPeers,
  FilterTimers,
  StatSpec,
} from './define-filter.ts';
import { makeFetch } from './fetch.ts';

/** A filter at one place of use, as the configuration asks for it. */
export interface FilterUse {
  /** File name of the filter, without folder and ending. */
  readonly name: string;
  readonly id: string;
  readonly definition: FilterDefinition;
  /** Checked against the filter's schema. */
  readonly config: unknown;
  readonly shadow: boolean;
  /** The route whose override this is; undefined for the instance that all other routes share. */
  readonly route: string | undefined;
}

export interface FilterDependencies {
  readonly stats: Stats;
  readonly log: FilterLog;
  readonly clock: Clock;
  readonly cluster: (name: string) => UpstreamCluster | undefined;
  readonly resolvePath: (path: string) => string;
  /** Talks to the same place of use in other workers, if there are any. */
  readonly peers?: ((place: string) => FilterPeers) | undefined;
}

/** A filter that has been created: its place in chains, and how to stop it. */
export interface FilterInstance {
  readonly link: ChainLink;
  close(): Promise<void>;
}

/** Creates a filter once. @throws whatever its `create` throws; nothing it started goes on then */
export async function createInstance(use: FilterUse, deps: FilterDependencies): Promise<FilterInstance> {
  const log = labelled(deps.log, use.id);
  const timers = new OwnedTimers((error) => log.error('a timer of the filter failed', { error }));
  const context: FilterContext = {
    id: use.id,
    route: use.route,
    clock: deps.clock,
    stats: handles(use, deps.stats),
    log,
    timers,
    resolvePath: deps.resolvePath,
    fetch: makeFetch(deps.cluster),
    peers: deps.peers?.(use.route === undefined ? use.id : `${use.id}/${use.route}`),
  };
  let hooks: FilterHooks;
  try {
    hooks = await use.definition.create(use.config, context);
  } catch (error) {
    timers.stop();
    throw error;
  }
  const failures = deps.stats.counter('portico_filter_failures_total', 'Hooks of filters that threw.', [
    'filter',
    'hook',
  ]);
  const shadowed = deps.stats
    .counter('portico_filter_shadow_refusals_total', 'Requests that a filter in shadow mode would have refused.', [
      'filter',
    ])
    .with({ filter: use.id });
  return {
    link: {
      id: use.id,
      hooks,
      shadow: use.shadow,
      failed(hook, error, exchange) {
        failures.with({ filter: use.id, hook }).add();
        log.error(`filter ${use.id} failed in ${hook}`, {
          error,
          method: exchange.originalMethod,
          path: exchange.originalPath,
        });
      },
      wouldRefuse(reply, exchange) {
        shadowed.add();
        log.info(`filter ${use.id} would have refused`, {
          status: reply.status,
          details: reply.local.details,
          method: exchange.originalMethod,
          path: exchange.originalPath,
        });
      },
    },
    async close() {
      timers.stop();
      await hooks.close?.();
    },
  };
}

/** Metric handles of one place of use: `portico_filter_<filter>_<stat>{filter="<id>"}`. */
function handles(use: FilterUse, stats: Stats): FilterContext['stats'] {
  const made: Record<string, unknown> = {};
  for (const [key, spec] of Object.entries(use.definition.stats ?? {})) made[key] = handle(use, key, spec, stats);
  return made as FilterContext['stats'];
}

function handle(use: FilterUse, key: string, spec: StatSpec, stats: Stats): unknown {
  const name = `portico_filter_${use.name.replace(/\W/g, '_')}_${key.replace(/\W/g, '_')}`;
  const labels = { filter: use.id };
  if (typeof spec === 'string') return stats.counter(`${name}_total`, spec, ['filter']).with(labels);
  switch (spec.type) {
    case 'counter':
      return stats.counter(`${name}_total`, spec.doc, ['filter']).with(labels);
    case 'gauge':
      return stats.gauge(name, spec.doc, ['filter']).with(labels);
    case 'histogram':
      return stats.histogram(name, spec.doc, ['filter'], spec.buckets).with(labels);
  }
}

function labelled(log: FilterLog, filter: string): FilterLog {
  return {
    debug: (message, fields) => log.debug(message, { filter, ...fields }),
    info: (message, fields) => log.info(message, { filter, ...fields }),
    warn: (message, fields) => log.warn(message, { filter, ...fields }),
    error: (message, fields) => log.error(message, { filter, ...fields }),
  };
}

/** Timers that end with the filter and never keep the process alive. */
class OwnedTimers implements FilterTimers {
  readonly #running = new Set<NodeJS.Timeout>();
  readonly #failed: (error: unknown) => void;

  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
  }

  after(milliseconds: number, run: () => void): () => void {
    const timer = setTimeout(() => {
      this.#running.delete(timer);
      this.#guard(run);
    }, milliseconds);
    return this.#own(timer);
  }

  every(milliseconds: number, run: () => void): () => void {
    return this.#own(setInterval(() => this.#guard(run), milliseconds));
  }

  stop(): void {
    for (const timer of this.#running) clearTimeout(timer);
    this.#running.clear();
  }

  /** What a user's callback throws belongs to the filter, not to the process. */
  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#failed(error);
    }
  }

  #own(timer: NodeJS.Timeout): () => void {
    timer.unref();
    this.#running.add(timer);
    return () => {
      clearTimeout(timer);
      this.#running.delete(timer);
    };
  }
}
