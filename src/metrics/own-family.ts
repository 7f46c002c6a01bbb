import type { MetricFamily, MetricType, Sample } from './family.ts';

/** A sample without the name of its family. */
export type OwnSample = readonly [labels: readonly string[], value: number | string, suffix?: string];

/** A family that the sidecar makes itself. A counter is named with `_total`, as in the text format. */
export function ownFamily(type: MetricType, name: string, help: string, samples: Iterable<OwnSample>): MetricFamily {
  return {
    name,
    type,
    help,
    unit: undefined,
    samples: Array.from(samples, ([labels, value, suffix = '']) => ownSample(`${name}${suffix}`, labels, value)),
  };
}

export function ownSample(name: string, labels: readonly string[], value: number | string): Sample {
  return {
    name,
    labels,
    value: typeof value === 'number' ? numberText(value) : value,
    timestamp: undefined,
    exemplar: undefined,
  };
}

export function numberText(value: number): string {
  if (value === Infinity) return '+Inf';
  return value === -Infinity ? '-Inf' : String(value);
}
