import type { Exchange, ResponseFlag } from '../http/index.ts';
import type { Overload } from '../overload/index.ts';
import type { Route } from '../router/route.ts';
import type { CounterHandle, Family, GaugeHandle, HistogramHandle, Stats } from '../stats/index.ts';

/** Counts exchanges of one listener. Handles are made once per route and value, so that a request only looks them up. */
export class ExchangeCounters {
  readonly #listener: string;
  readonly #requests: Family<CounterHandle>;
  readonly #durations: Family<HistogramHandle>;
  readonly #flags: Family<CounterHandle>;
  readonly #active: GaugeHandle;
  readonly #errors: Family<CounterHandle>;
  readonly #ofRoute = new WeakMap<object, RouteCounters>();
  readonly #ofFlag = new Map<ResponseFlag, CounterHandle>();
  readonly #ofError = new Map<string, CounterHandle>();
  readonly #overload: Overload | undefined;
  #running = 0;

  /** @param overload counts the exchanges of all listeners */
  constructor(stats: Stats, listener: string, overload?: Overload) {
    this.#listener = listener;
    this.#overload = overload;
    this.#requests = stats.counter('portico_http_requests_total', 'Requests answered, by class of status.', [
      'listener',
      'virtual_host',
      'route',
      'code_class',
    ]);
    this.#durations = stats.histogram(
      'portico_http_request_duration_seconds',
      'Time from the request head to the last byte of the response.',
      ['route'],
    );
    this.#flags = stats.counter('portico_http_response_flags_total', 'Exchanges that ended with a response flag.', [
      'flag',
    ]);
    this.#active = stats
      .gauge('portico_http_active_exchanges', 'Exchanges that are being served.', ['listener'])
      .with({ listener });
    this.#errors = stats.counter(
      'portico_http_protocol_errors_total',
      'Requests refused as malformed, ambiguous or too large.',
      ['listener', 'details'],
    );
  }

  get running(): number {
    return this.#running;
  }

  begin(): void {
    this.#running++;
    this.#overload?.exchangeBegan();
    this.#active.add(1);
  }

  end(exchange: Exchange): void {
    this.#running--;
    this.#overload?.exchangeEnded();
    this.#active.add(-1);
    const route = this.#countersOf(exchange.route);
    const status = exchange.response?.status ?? 0;
    const codeClass = status >= 100 && status < 600 ? codeClasses[Math.floor(status / 100)]! : 'none';
    let requests = route.requests.get(codeClass);
    if (requests === undefined) {
      const { virtualHost, route: name } = exchange.route;
      requests = this.#requests.with({
        listener: this.#listener,
        virtual_host: virtualHost,
        route: name,
        code_class: codeClass,
      });
      route.requests.set(codeClass, requests);
    }
    requests.add();
    route.duration.observe((exchange.duration ?? 0) / 1000);
    for (const flag of exchange.responseFlags) this.#flag(flag).add();
  }

  /** @param details one of our own constants, never text of a client */
  protocolError(details: string): void {
    let counter = this.#ofError.get(details);
    if (counter === undefined) {
      counter = this.#errors.with({ listener: this.#listener, details });
      this.#ofError.set(details, counter);
    }
    counter.add();
  }

  #countersOf(facts: Route['facts']): RouteCounters {
    let counters = this.#ofRoute.get(facts);
    if (counters === undefined) {
      counters = { requests: new Map(), duration: this.#durations.with({ route: facts.route }) };
      this.#ofRoute.set(facts, counters);
    }
    return counters;
  }

  #flag(flag: ResponseFlag): CounterHandle {
    let counter = this.#ofFlag.get(flag);
    if (counter === undefined) {
      counter = this.#flags.with({ flag });
      this.#ofFlag.set(flag, counter);
    }
    return counter;
  }
}

interface RouteCounters {
  readonly requests: Map<string, CounterHandle>;
  readonly duration: HistogramHandle;
}

const codeClasses = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'];
