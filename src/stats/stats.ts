import { Gauge, Registry, type Metric } from './prom-client.ts';
import { AccumulatedMetric, CounterCell, GaugeCell, HistogramCell, type Cell } from './accumulated-metric.ts';

/** Labels of a metric: few, and of few values each. Never a path, an address or anything else a client chooses. */
export type Labels = Readonly<Record<string, string>>;

/**
 * What the values of several workers are together, in prom-client's words. `first` is for what all of them say alike: the
 * primary's value counts where it has one, else that of the first worker that has.
 */
export type Together = 'sum' | 'max' | 'min' | 'first';

export interface CounterHandle {
  add(amount?: number): void;
}
export interface GaugeHandle {
  set(value: number): void;
  add(amount: number): void;
}
export interface HistogramHandle {
  observe(value: number): void;
}

/** A family of metrics with label names; `with` gives the one for given values, made once and kept by the caller. */
export interface Family<Handle> {
  with(labels: Labels): Handle;
  /** Forgets the series of these label values, when what they name is gone. */
  remove(labels: Labels): void;
}

/** Upper bounds of latency buckets in seconds: Envoy's, from 0.5 ms to 60 s. */
export const latencyBuckets = [0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/**
 * All metrics of one process. Asking twice for a name gives the same family, so a reload continues where it was.
 * Names are `portico_<room>_<what>_<unit>`, the doc is what `# HELP` says.
 */
export class Stats {
  readonly registry: Registry;

  constructor(registry = new Registry()) {
    this.registry = registry;
  }

  counter(
    name: string,
    doc: string,
    labelNames: readonly string[] = [],
    together: Together = 'sum',
  ): Family<CounterHandle> {
    const cell = () => new CounterCell();
    return this.#family(name, () => new AccumulatedMetric('counter', name, doc, labelNames, cell, together));
  }

  gauge(
    name: string,
    doc: string,
    labelNames: readonly string[] = [],
    together: Together = 'sum',
  ): Family<GaugeHandle> {
    const cell = () => new GaugeCell();
    return this.#family(name, () => new AccumulatedMetric('gauge', name, doc, labelNames, cell, together));
  }

  histogram(
    name: string,
    doc: string,
    labelNames: readonly string[] = [],
    buckets: readonly number[] = latencyBuckets,
  ): Family<HistogramHandle> {
    return this.#family(
      name,
      () => new AccumulatedMetric('histogram', name, doc, labelNames, () => new HistogramCell(buckets)),
    );
  }

  /** A gauge whose values are read when somebody scrapes. */
  observed(
    name: string,
    doc: string,
    labelNames: readonly string[],
    read: () => Iterable<[labels: Labels, value: number]>,
    together: Together = 'sum',
  ): void {
    this.registry.removeSingleMetric(name);
    new Gauge({
      name,
      help: doc,
      labelNames: [...labelNames],
      aggregator: together,
      registers: [this.registry],
      collect() {
        this.reset();
        for (const [labels, value] of read()) this.set(labels, value);
      },
    });
  }

  /** Prometheus text format 0.0.4. */
  render(): Promise<string> {
    return this.registry.metrics();
  }

  #family<C extends Cell>(name: string, make: () => AccumulatedMetric<C>): Family<C> {
    const known = this.registry.getSingleMetric(name) as AccumulatedMetric<C> | undefined;
    if (known !== undefined) return known;
    const metric = make();
    // The registry asks a metric for nothing but its name and `get`.
    this.registry.registerMetric(metric as unknown as Metric);
    return metric;
  }
}
