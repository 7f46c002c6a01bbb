import type { Clock, FilterLog } from '../filter/define-filter.ts';
import { localReply, type LocalReply } from '../http/index.ts';
import type { CounterHandle, Stats } from '../stats/index.ts';
import type { OverloadConfig } from './config.ts';
import { connectionsWithin, maxOpenFiles } from './file-descriptors.ts';
import { levelOf, type Level, type Thresholds } from './level.ts';
import { LoopDelay } from './loop-delay.ts';
import { memoryShare, type MemoryShare } from './memory-share.ts';

/** What can be too much. */
export const triggers = ['connections', 'exchanges', 'buffered_bytes', 'memory', 'event_loop'] as const;
export type Trigger = (typeof triggers)[number];

/** What the machine says, each left out for the truth. */
export interface OverloadSources {
  readonly memory?: MemoryShare;
  readonly bufferedBytes?: () => number;
  readonly maxOpenFiles?: number;
}

export interface OverloadParts extends OverloadSources {
  readonly stats: Stats;
  readonly log: FilterLog;
  readonly clock: Clock;
}

export interface OverloadState {
  readonly trigger: Trigger;
  readonly level: Level;
  readonly value: number;
  /** Value from which work is refused; undefined when it never is. */
  readonly limit: number | undefined;
}

/** Milliseconds between two looks at what is not counted exactly. Envoy's overload manager looks as often. */
const interval = 250;
/** Seconds after which a refused client may come back. */
const retryAfter = '1';

const never: Thresholds = { shed: Infinity, refuse: Infinity };

/**
 * Refuses new work while the process has too much of it, so that running work completes: exchanges with 503, then
 * connections. One for all listeners. Connections and exchanges are counted exactly; memory and the event loop are
 * looked at four times a second.
 */
export class Overload {
  readonly #parts: OverloadParts;
  readonly #memory: MemoryShare;
  readonly #delay = new LoopDelay(interval);
  readonly #refused: ReadonlyMap<Trigger, CounterHandle>;
  readonly #levels = new Map<Trigger, Level>(triggers.map((trigger) => [trigger, 'ok']));
  readonly #values = new Map<Trigger, number>(triggers.map((trigger) => [trigger, 0]));
  #thresholds!: ReadonlyMap<Trigger, Thresholds>;
  /** Connections of clients, or of one cluster, that the limit of open files allows: they leave room for the other side and for operators. */
  readonly connectionsWithinFiles: number;
  #maxConnections = Infinity;
  #maxExchanges = Infinity;
  #connections = 0;
  #exchanges = 0;
  /** Of those that are looked at, the first that refuses exchanges, and the first that refuses connections. */
  #sheds: Trigger | undefined;
  #refuses: Trigger | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(config: OverloadConfig, parts: OverloadParts) {
    this.#parts = parts;
    this.connectionsWithinFiles = connectionsWithin(parts.maxOpenFiles ?? maxOpenFiles());
    this.#memory = parts.memory ?? memoryShare();
    const refused = parts.stats.counter(
      'portico_overload_refused_total',
      'Exchanges and connections refused because of overload.',
      ['trigger'],
    );
    this.#refused = new Map(triggers.map((trigger) => [trigger, refused.with({ trigger })]));
    parts.stats.observed(
      'portico_overload_state',
      'Whether there is too much of something: 0 no, 1 exchanges are refused, 2 connections as well.',
      ['trigger'],
      () => this.show().map(({ trigger, level }) => [{ trigger }, level === 'ok' ? 0 : level === 'shed' ? 1 : 2]),
      'max',
    );
    this.configure(config);
  }

  /** Sets the ceilings; a reload does it again. */
  configure(config: OverloadConfig): void {
    this.#maxConnections = Math.min(config.max_connections || Infinity, this.connectionsWithinFiles);
    this.#maxExchanges = config.max_exchanges || Infinity;
    this.#thresholds = new Map<Trigger, Thresholds>([
      ['connections', { shed: Infinity, refuse: this.#maxConnections }],
      ['exchanges', { shed: this.#maxExchanges, refuse: Infinity }],
      ['buffered_bytes', { shed: config.max_buffered_bytes || Infinity, refuse: Infinity }],
      ['memory', { shed: unlessOne(config.memory_shed_ratio), refuse: unlessOne(config.memory_refuse_ratio) }],
      ['event_loop', { shed: config.event_loop_delay_shed || Infinity, refuse: Infinity }],
    ]);
  }

  start(): void {
    this.#timer ??= setInterval(() => this.look(), interval).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Connections are not kept for another request. */
  get shedding(): boolean {
    return this.#sheds !== undefined;
  }

  /** Idle connections are better closed than kept. */
  get refusing(): boolean {
    return this.#refuses !== undefined;
  }

  /** The answer to a new exchange that comes at a bad time. */
  refusal(): LocalReply | undefined {
    if (this.#sheds === undefined && this.#exchanges < this.#maxExchanges) return undefined;
    const trigger = this.#sheds ?? 'exchanges';
    this.#refused.get(trigger)!.add();
    return localReply(503, `overload_${trigger}`, { flag: 'OM', headers: { 'retry-after': retryAfter } });
  }

  exchangeBegan(): void {
    this.#exchanges++;
  }

  exchangeEnded(): void {
    this.#exchanges--;
  }

  /** Why no further connection can be had; a listener may close an idle one instead, and ask again. */
  connectionRefusal(): Trigger | undefined {
    return this.#refuses ?? (this.#connections >= this.#maxConnections ? 'connections' : undefined);
  }

  connectionRefused(trigger: Trigger): void {
    this.#refused.get(trigger)!.add();
  }

  connectionOpened(): void {
    this.#connections++;
  }

  connectionClosed(): void {
    this.#connections--;
  }

  /** Looks at everything that is not counted. */
  look(): void {
    const { log, clock, bufferedBytes = arrayBuffers } = this.#parts;
    this.#judge('event_loop', this.#delay.look(clock.monotonic()));
    this.#judge('memory', this.#memory());
    if (this.#thresholds.get('buffered_bytes')!.shed < Infinity) this.#judge('buffered_bytes', bufferedBytes());
    const sheds = watched.find((trigger) => this.#levels.get(trigger) !== 'ok');
    if (sheds !== this.#sheds) {
      if (sheds === undefined) log.info('no longer overloaded');
      else log.warn('overloaded: new work is refused', { trigger: sheds, value: this.#values.get(sheds) });
    }
    this.#sheds = sheds;
    this.#refuses = watched.find((trigger) => this.#levels.get(trigger) === 'refuse');
  }

  /** For GET /server_info. */
  show(): OverloadState[] {
    this.#judge('connections', this.#connections);
    this.#judge('exchanges', this.#exchanges);
    return triggers.map((trigger) => {
      const { shed, refuse } = this.#thresholds.get(trigger) ?? never;
      const limit = Math.min(shed, refuse);
      return {
        trigger,
        level: this.#levels.get(trigger)!,
        value: this.#values.get(trigger)!,
        limit: limit === Infinity ? undefined : limit,
      };
    });
  }

  #judge(trigger: Trigger, value: number): void {
    this.#values.set(trigger, value);
    this.#levels.set(trigger, levelOf(value, this.#thresholds.get(trigger)!, this.#levels.get(trigger)!));
  }
}

/** Those whose level holds from one look to the next; connections and exchanges are compared when they come. */
const watched: readonly Trigger[] = ['memory', 'buffered_bytes', 'event_loop'];

function unlessOne(ratio: number): number {
  return ratio >= 1 ? Infinity : ratio;
}

/** Memory of buffers: what has been received and not passed on yet, and what the collector has not noticed yet. */
function arrayBuffers(): number {
  return process.memoryUsage().arrayBuffers;
}
