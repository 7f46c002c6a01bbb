import type { Labels, Together } from './stats.ts';

/** One line of an exposition, as prom-client's registry renders it. */
interface Value {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  readonly metricName?: string;
}

/** The numbers behind one set of label values. */
export interface Cell {
  values(name: string, labels: Labels): Iterable<Value>;
  reset(): void;
}

/**
 * A family of numbers that a request only adds to; what a scrape needs is made when it comes. prom-client's own metrics hash
 * labels and dates at every observation, which was a tenth of the time Portico spent on a request outside of system calls.
 */
export class AccumulatedMetric<C extends Cell> {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly name: string;
  readonly help: string;
  readonly aggregator: Together;
  readonly #labelNames: readonly string[];
  readonly #make: () => C;
  readonly #children = new Map<string, { readonly labels: Labels; readonly cell: C }>();

  constructor(
    type: 'counter' | 'gauge' | 'histogram',
    name: string,
    help: string,
    labelNames: readonly string[],
    make: () => C,
    together: Together = 'sum',
  ) {
    this.aggregator = together;
    this.type = type;
    this.name = name;
    this.help = help;
    this.#labelNames = labelNames;
    this.#make = make;
    // A metric without labels is there from the beginning, with zero.
    if (labelNames.length === 0) this.with({});
  }

  with(labels: Labels): C {
    const key = this.#key(labels);
    let child = this.#children.get(key);
    if (child === undefined) {
      child = { labels: { ...labels }, cell: this.#make() };
      this.#children.set(key, child);
    }
    return child.cell;
  }

  remove(labels: Labels): void {
    this.#children.delete(this.#key(labels));
  }

  get(): { name: string; help: string; type: string; aggregator: string; values: Value[] } {
    const values: Value[] = [];
    for (const { labels, cell } of this.#children.values()) values.push(...cell.values(this.name, labels));
    return { name: this.name, help: this.help, type: this.type, aggregator: this.aggregator, values };
  }

  reset(): void {
    for (const { cell } of this.#children.values()) cell.reset();
  }

  /** @throws Error when the labels are not those that the family was made with: a mistake of ours */
  #key(labels: Labels): string {
    const names = Object.keys(labels);
    if (names.length !== this.#labelNames.length || names.some((name) => !this.#labelNames.includes(name))) {
      throw new Error(`${this.name} has the labels ${this.#labelNames.join(', ')}, not ${names.join(', ')}`);
    }
    return JSON.stringify(this.#labelNames.map((name) => labels[name]));
  }
}

export class CounterCell implements Cell {
  #value = 0;

  add(amount = 1): void {
    this.#value += amount;
  }

  *values(_name: string, labels: Labels): Iterable<Value> {
    yield { labels, value: this.#value };
  }

  reset(): void {
    this.#value = 0;
  }
}

export class GaugeCell implements Cell {
  #value = 0;

  set(value: number): void {
    this.#value = value;
  }

  add(amount: number): void {
    this.#value += amount;
  }

  *values(_name: string, labels: Labels): Iterable<Value> {
    yield { labels, value: this.#value };
  }

  reset(): void {
    this.#value = 0;
  }
}

export class HistogramCell implements Cell {
  readonly #bounds: readonly number[];
  /** Observations by bucket, not cumulated; the last one is beyond all bounds. */
  readonly #counts: Float64Array;
  #sum = 0;

  /** @param bounds upper bounds, inclusive, ascending */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let at = 0;
    while (at < bounds.length && value > bounds[at]!) at++;
    this.#counts[at]!++;
    this.#sum += value;
  }

  *values(name: string, labels: Labels): Iterable<Value> {
    let total = 0;
    for (const [at, bound] of this.#bounds.entries()) {
      total += this.#counts[at]!;
      yield { metricName: `${name}_bucket`, labels: { le: bound, ...labels }, value: total };
    }
    total += this.#counts[this.#bounds.length]!;
    yield { metricName: `${name}_bucket`, labels: { le: '+Inf', ...labels }, value: total };
    yield { metricName: `${name}_sum`, labels, value: this.#sum };
    yield { metricName: `${name}_count`, labels, value: total };
  }

  reset(): void {
    this.#counts.fill(0);
    this.#sum = 0;
  }
}
