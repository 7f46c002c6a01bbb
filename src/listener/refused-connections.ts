import type { Clock, FilterLog } from '../filter/define-filter.ts';
import type { CounterHandle, Stats } from '../stats/index.ts';

/** Why a connection was closed before anything was read from it. */
export type ConnectionRefusal = 'max_connections' | 'max_connections_per_client' | 'overload';

/** Milliseconds between two lines in the log about the same. */
const quiet = 10_000;

/** Counts connections that were refused, and tells operators now and then. */
export class RefusedConnections {
  readonly #counters: Readonly<Record<ConnectionRefusal, CounterHandle>>;
  readonly #clock: Clock;
  readonly #log: FilterLog;
  readonly #untold = new Map<ConnectionRefusal, { since: number; count: number }>();

  constructor(listener: string, { stats, clock, log }: { stats: Stats; clock: Clock; log: FilterLog }) {
    const family = stats.counter(
      'portico_listener_connections_refused_total',
      'Connections closed at once, because there were too many.',
      ['listener', 'reason'],
    );
    const counter = (reason: ConnectionRefusal) => family.with({ listener, reason });
    this.#counters = {
      max_connections: counter('max_connections'),
      max_connections_per_client: counter('max_connections_per_client'),
      overload: counter('overload'),
    };
    this.#clock = clock;
    this.#log = log;
  }

  /** @param client whose connection it was */
  add(reason: ConnectionRefusal, client: string): void {
    this.#counters[reason].add();
    const now = this.#clock.monotonic();
    const untold = this.#untold.get(reason);
    if (untold !== undefined && now - untold.since < quiet) {
      untold.count++;
      return;
    }
    this.#log.warn('connection refused', { reason, client, ...(untold && { others_since: untold.count }) });
    this.#untold.set(reason, { since: now, count: 0 });
  }
}
