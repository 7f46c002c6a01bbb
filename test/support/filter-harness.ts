/**
 * Runs one filter without a proxy around it: `startFilter(filter, config)` gives its hooks, `makeExchange({…})` something
 * to call them with. Clock and timers stand still until the test moves them; `fetch` does real HTTP.
 */
import * as v from 'valibot';
import { request as httpRequest } from 'undici';
import {
  Exchange,
  Headers,
  noBody,
  textBody,
  type Body,
  type Downstream,
  type LocalReply,
  type Request,
} from '../../src/http/index.ts';
import type {
  Clock,
  FetchOptions,
  FetchResult,
  FilterContext,
  FilterDefinition,
  FilterHooks,
  FilterLog,
  FilterPeers,
  FilterTimers,
  StatHandles,
  StatSpec,
} from '../../src/filter/define-filter.ts';

/** What a test wants to say of an exchange; the rest is a plain `GET /` from 127.0.0.1. */
export interface ExchangeOptions {
  method?: string;
  scheme?: 'http' | 'https';
  authority?: string;
  path?: string;
  /** As an object, or as pairs where order and duplicates matter. Names and values are not checked: a client may be rude. */
  headers?: Record<string, string | readonly string[]> | readonly (readonly [name: string, value: string])[];
  body?: Body | string;
  clientAddress?: string;
  protocol?: Exchange['protocol'];
  downstream?: Partial<Downstream>;
  /** Start of the exchange: Unix time and monotonic time in milliseconds. */
  now?: { time: number; monotonic: number };
  upgrade?: Request['upgrade'];
}

export function makeExchange(options: ExchangeOptions = {}): Exchange {
  const remoteAddress = options.clientAddress ?? '127.0.0.1';
  const request: Request = {
    method: options.method ?? 'GET',
    scheme: options.scheme ?? 'http',
    authority: options.authority ?? 'portico.test',
    path: options.path ?? '/',
    headers: Headers.parsed(flatten(options.headers ?? {})),
    body: typeof options.body === 'string' ? textBody(options.body) : (options.body ?? noBody),
    upgrade: options.upgrade,
  };
  const downstream: Downstream = {
    listener: 'test',
    connectionId: 1,
    remoteAddress,
    remotePort: 40000,
    localAddress: '127.0.0.1',
    localPort: 80,
    tls: undefined,
    ...options.downstream,
  };
  return new Exchange(
    downstream,
    options.protocol ?? 'HTTP/1.1',
    request,
    remoteAddress,
    options.now ?? { time: Date.now(), monotonic: performance.now() },
  );
}

function flatten(headers: NonNullable<ExchangeOptions['headers']>): string[] {
  const flat: string[] = [];
  const pairs = Array.isArray(headers)
    ? (headers as readonly (readonly [string, string])[])
    : Object.entries(headers as Record<string, string | readonly string[]>);
  for (const [name, value] of pairs)
    for (const one of typeof value === 'string' ? [value] : value) flat.push(name, one);
  return flat;
}

/** A clock that stands still, with the timers that hang on it. */
export class TestClock implements Clock, FilterTimers {
  #time: number;
  #monotonic: number;
  #timers = new Set<{ at: number; every: number | undefined; run: () => void }>();

  /** @param time Unix time in milliseconds at the start */
  constructor(time = Date.now(), monotonic = 1_000_000) {
    this.#time = time;
    this.#monotonic = monotonic;
  }

  now(): number {
    return this.#time;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  /** Timers that have not run yet. */
  get pending(): number {
    return this.#timers.size;
  }

  after(milliseconds: number, run: () => void): () => void {
    return this.#add(milliseconds, undefined, run);
  }

  every(milliseconds: number, run: () => void): () => void {
    return this.#add(milliseconds, milliseconds, run);
  }

  /** Lets time pass and runs, in order, the timers that fall due. */
  advance(milliseconds: number): void {
    const end = this.#monotonic + milliseconds;
    for (;;) {
      let next: { at: number; every: number | undefined; run: () => void } | undefined;
      for (const timer of this.#timers) if (timer.at <= end && (next === undefined || timer.at < next.at)) next = timer;
      if (next === undefined) break;
      this.#moveTo(next.at);
      if (next.every === undefined) this.#timers.delete(next);
      else next.at += Math.max(1, next.every);
      next.run();
    }
    this.#moveTo(end);
  }

  /** Somebody sets the wall clock: Unix time jumps, monotonic time does not. */
  jump(milliseconds: number): void {
    this.#time += milliseconds;
  }

  #moveTo(monotonic: number): void {
    if (monotonic <= this.#monotonic) return;
    this.#time += monotonic - this.#monotonic;
    this.#monotonic = monotonic;
  }

  #add(milliseconds: number, every: number | undefined, run: () => void): () => void {
    const timer = { at: this.#monotonic + Math.max(0, milliseconds), every, run };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }
}

export interface LogLine {
  readonly level: keyof FilterLog;
  readonly message: string;
  readonly fields: Record<string, unknown> | undefined;
}

export interface ContextOptions {
  id?: string;
  route?: string;
  clock?: TestClock;
  /** Folder that relative paths of the configuration are resolved against. */
  folder?: string;
  /** In place of real HTTP. */
  fetch?: FilterContext['fetch'];
  /** The same filter in other workers. */
  peers?: FilterPeers;
}

/** A context and what a test can see through it. */
export interface TestContext<Specs extends Record<string, StatSpec>> {
  readonly context: FilterContext<Specs>;
  readonly clock: TestClock;
  /** Counters and gauges by their present value, histograms by the number of observations. */
  readonly stats: { readonly [K in keyof Specs]: number };
  /** What histograms were told. */
  readonly observed: { readonly [K in keyof Specs]?: number[] };
  readonly log: LogLine[];
}

export function makeContext<Specs extends Record<string, StatSpec>>(
  specs: Specs | undefined,
  options: ContextOptions = {},
): TestContext<Specs> {
  const clock = options.clock ?? new TestClock();
  const stats: Record<string, number> = {};
  const observed: Record<string, number[]> = {};
  const handles: Record<string, unknown> = {};
  for (const key of Object.keys(specs ?? {})) {
    stats[key] = 0;
    handles[key] = {
      add: (amount = 1) => void (stats[key]! += amount),
      set: (value: number) => void (stats[key] = value),
      observe: (value: number) => {
        (observed[key] ??= []).push(value);
        stats[key]! += 1;
      },
    };
  }
  const log: LogLine[] = [];
  const writer = (level: keyof FilterLog) => (message: string, fields?: Record<string, unknown>) =>
    void log.push({ level, message, fields });
  const folder = options.folder ?? process.cwd();
  const context: FilterContext<Specs> = {
    id: options.id ?? 'test',
    route: options.route,
    clock,
    timers: clock,
    stats: handles as StatHandles<Specs>,
    log: { debug: writer('debug'), info: writer('info'), warn: writer('warn'), error: writer('error') },
    resolvePath: (path) => (path.startsWith('/') ? path : `${folder}/${path}`),
    fetch: options.fetch ?? fetchForReal,
    peers: options.peers,
  };
  return {
    context,
    clock,
    stats: stats as TestContext<Specs>['stats'],
    observed: observed,
    log,
  };
}

/** Real HTTP with the promises of {@link FilterContext.fetch}: no redirects, a time limit, a size limit. */
export async function fetchForReal(url: string, options: FetchOptions = {}): Promise<FetchResult> {
  const deadline = AbortSignal.timeout(options.timeout ?? 5000);
  const signal = options.signal === undefined ? deadline : AbortSignal.any([options.signal, deadline]);
  const response = await httpRequest(url, {
    method: (options.method ?? 'GET') as 'GET',
    headers: options.headers ?? {},
    ...(options.body !== undefined && { body: options.body }),
    signal,
  });
  const limit = options.limit ?? 1024 * 1024;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response.body as AsyncIterable<Buffer>) {
    size += chunk.byteLength;
    if (size > limit) {
      response.body.destroy();
      throw new Error(`response is larger than ${limit} bytes`);
    }
    chunks.push(chunk);
  }
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(response.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return { status: response.statusCode, headers, body: Buffer.concat(chunks) };
}

/** A filter at work, and what a test can see of it. */
export interface StartedFilter<Specs extends Record<string, StatSpec>> extends TestContext<Specs> {
  readonly hooks: FilterHooks;
  /** Runs `onRequest`; a promise only if the filter gave one, so a test can tell a filter that waits from one that does not. */
  request(exchange: Exchange): undefined | LocalReply | Promise<undefined | LocalReply>;
  close(): Promise<void>;
}

/** Checks the configuration with the filter's schema, as loading does, and creates the filter. */
export async function startFilter<Config extends v.GenericSchema, Specs extends Record<string, StatSpec>>(
  definition: FilterDefinition<Config, Specs>,
  config: v.InferInput<Config>,
  options: ContextOptions = {},
): Promise<StartedFilter<Specs>> {
  const test = makeContext<Specs>(definition.stats, options);
  const checked = definition.config === undefined ? config : v.parse(definition.config, config);
  const hooks = await definition.create(checked, test.context);
  return {
    ...test,
    hooks,
    request(exchange) {
      const result = hooks.onRequest?.(exchange.request, exchange);
      return result instanceof Promise ? result.then((reply) => reply ?? undefined) : (result ?? undefined);
    },
    async close() {
      await hooks.close?.();
    },
  };
}
