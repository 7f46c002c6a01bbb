import type * as v from 'valibot';
import type { Exchange, LocalReply, Request, Response } from '../http/index.ts';
import type { CounterHandle, GaugeHandle, HistogramHandle } from '../stats/index.ts';

/** Metrics of a filter: a sentence makes a counter; an object chooses another type. */
export type StatSpec =
  | string
  | { readonly type: 'counter' | 'gauge' | 'histogram'; readonly doc: string; readonly buckets?: readonly number[] };

/** The handle that belongs to a spec. */
export type StatHandle<S extends StatSpec> = S extends { type: 'gauge' }
  ? GaugeHandle
  : S extends { type: 'histogram' }
    ? HistogramHandle
    : CounterHandle;

export type StatHandles<S extends Record<string, StatSpec>> = { readonly [K in keyof S]: StatHandle<S[K]> };

/** What {@link defineFilter} takes. */
export interface FilterDefinition<
  Config extends v.GenericSchema = v.GenericSchema,
  Specs extends Record<string, StatSpec> = Record<string, StatSpec>,
> {
  /** One sentence: what the filter does. Shown in the reference. */
  readonly doc: string;
  /** The options: type, check, JSON Schema and documentation in one. Leave out when there are none. */
  readonly config?: Config;
  /** Metrics, exposed as `portico_filter_<filter>_<name>` with the label `filter` (the place of use) . */
  readonly stats?: Specs;
  /**
   * Called once per place of use, at load: compile here what the hooks need. A thrown error is a configuration fault.
   * May be async, to load a key file or the like.
   */
  create(config: v.InferOutput<Config>, context: FilterContext<Specs>): FilterHooks | Promise<FilterHooks>;
}

/** What a filter does to exchanges. Every hook is optional. A hook written sync runs sync. */
export interface FilterHooks {
  /** Sees the request head before it is forwarded. Returns nothing to go on, or a `localReply` to answer at once. */
  onRequest?(request: Request, exchange: Exchange): void | LocalReply | Promise<void | LocalReply>;
  /** Rewrites the request's content as it flows: `async *requestBody(chunks) { … }`. Returns nothing to leave it alone. */
  requestBody?(chunks: AsyncIterable<Uint8Array>, exchange: Exchange): AsyncIterable<Uint8Array> | void;
  /** Sees the response head, whoever made it. May edit it, or return another response in its place. */
  onResponse?(response: Response, exchange: Exchange): void | Response | Promise<void | Response>;
  /** Rewrites the response's content as it flows. Returns nothing to leave it alone. */
  responseBody?(chunks: AsyncIterable<Uint8Array>, exchange: Exchange): AsyncIterable<Uint8Array> | void;
  /** Sees the finished exchange, whether it went well or not. Must not wait. */
  onLog?(exchange: Exchange): void;
  /** The filter is no longer used: stop what `create` started. */
  close?(): void | Promise<void>;
}

/** Everything a filter may use. */
export interface FilterContext<Specs extends Record<string, StatSpec> = Record<string, StatSpec>> {
  /** The `id` of this place of use; the filter's name unless the configuration says otherwise. */
  readonly id: string;
  /** Name of the route whose override this instance serves; undefined for the one that all other routes share. */
  readonly route: string | undefined;
  readonly clock: Clock;
  readonly stats: StatHandles<Specs>;
  readonly log: FilterLog;
  readonly timers: FilterTimers;
  /** Resolves a relative path of the configuration against the folder of the configuration file. */
  resolvePath(path: string): string;
  /** An HTTP call of the filter's own (authorisation service, key set). Never follows redirects. */
  fetch(url: string, options?: FetchOptions): Promise<FetchResult>;
  /** The same filter in the other workers; undefined when there are none (`workers: 1`). */
  readonly peers?: FilterPeers | undefined;
}

/** Talk between the workers of one Portico. Messages are plain data; each arrives once or, if a worker is overwhelmed, not at all. */
export interface FilterPeers {
  /** Tells all others. The answer false: too much is under way already, and nothing was told. */
  tell(message: unknown): boolean;
  /** Calls `hear` with what each of them tells, in its order, until the function returned is called. */
  listen(hear: (message: unknown) => void): () => void;
}

export interface Clock {
  /** Unix time in milliseconds. Jumps when somebody sets the clock: for timestamps and token expiry. */
  now(): number;
  /** Milliseconds from an arbitrary start; never jumps: for durations, windows and schedules. */
  monotonic(): number;
}

export interface FilterLog {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

/** Timers that end with the filter and never keep the process alive. Each returns a function that stops it. */
export interface FilterTimers {
  after(milliseconds: number, run: () => void): () => void;
  every(milliseconds: number, run: () => void): () => void;
}

export interface FetchOptions {
  method?: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  /** Name of a configured cluster to send through; without it the URL's own host is connected to. */
  cluster?: string;
  /** Milliseconds for the whole call, 1 to 60000. Default 5000. */
  timeout?: number;
  /** Most bytes of response content; more is an error. Default 1 MiB. */
  limit?: number;
  signal?: AbortSignal;
}

export interface FetchResult {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/**
 * Defines a filter. The file's name is the filter's name; its default export is what this function returns.
 * Types of `config` and `stats` are inferred.
 */
export function defineFilter<
  const Specs extends Record<string, StatSpec> = Record<never, StatSpec>,
  Config extends v.GenericSchema = v.GenericSchema<Record<string, never>>,
>(definition: FilterDefinition<Config, Specs>): FilterDefinition<Config, Specs> {
  return definition;
}
