import { Registry, type Metric } from '../stats/prom-client.ts';
import type { Stats, Together } from '../stats/index.ts';

/** A family of metrics with its values, as prom-client's registries describe it. */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly aggregator: Together;
  readonly values: readonly MetricValue[];
}

export interface MetricValue {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  /** Of a line of a histogram: its name with `_bucket`, `_sum` or `_count`. */
  readonly metricName?: string | undefined;
}

/** All metrics of one process. */
export async function describeFamilies({ registry }: Stats): Promise<MetricFamily[]> {
  return (await registry.getMetricsAsJSON()) as unknown as MetricFamily[];
}

const join: Record<Together, (one: number, other: number) => number> = {
  sum: (one, other) => one + other,
  max: Math.max,
  min: Math.min,
  first: (one) => one,
};

/**
 * The metrics of several processes as those of one, each family in its own way.
 * @param sources one a process, the primary first; families and series stand in the order in which they are met
 */
export function mergeFamilies(sources: readonly (readonly MetricFamily[])[]): MetricFamily[] {
  const merged = new Map<string, { family: MetricFamily; values: Map<string, MetricValue> }>();
  for (const family of sources.flat()) {
    let known = merged.get(family.name);
    if (known === undefined) merged.set(family.name, (known = { family, values: new Map() }));
    const together = join[known.family.aggregator];
    for (const value of family.values) {
      const key = keyOf(value);
      const before = known.values.get(key);
      known.values.set(key, before === undefined ? value : { ...before, value: together(before.value, value.value) });
    }
  }
  return [...merged.values()].map(({ family, values }) => ({ ...family, values: [...values.values()] }));
}

/**
 * What stays of a process that has ended: what it had counted, so that no sum of counters ever falls, which Prometheus would
 * take for a restart of all.
 */
export function remains(families: readonly MetricFamily[]): MetricFamily[] {
  return families.filter(({ type, aggregator }) => type !== 'gauge' && aggregator === 'sum');
}

/** Prometheus text format 0.0.4. */
export function renderFamilies(families: readonly MetricFamily[]): Promise<string> {
  const registry = new Registry();
  // The registry asks a metric for nothing but its name and `get`.
  for (const family of families) registry.registerMetric({ name: family.name, get: () => family } as unknown as Metric);
  return registry.metrics();
}

function keyOf({ metricName, labels }: MetricValue): string {
  const sorted = Object.entries(labels).sort(([one], [other]) => (one < other ? -1 : 1));
  return JSON.stringify([metricName, sorted]);
}
