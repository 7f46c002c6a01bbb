import type { MetricFamily } from './family.ts';
import { addLabels } from './label-clash.ts';
import { Series } from './series.ts';

/** Families with labels added to each series. What they have themselves stays: it is ours, and tells them apart. */
export function addToFamilies(
  families: readonly MetricFamily[],
  added: ReadonlyMap<string, string>,
): readonly MetricFamily[] {
  if (added.size === 0) return families;
  return families.map((family) => ({
    ...family,
    samples: family.samples.map((sample) => {
      const labels = new Map<string, string>();
      for (let at = 0; at < sample.labels.length; at += 2) labels.set(sample.labels[at]!, sample.labels[at + 1]!);
      addLabels(labels, added, 'keep');
      const series = new Series(sample.name, [...labels].flat());
      return { ...sample, name: sample.name, labels: series.labels, series };
    }),
  }));
}
