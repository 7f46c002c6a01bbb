import type { MetricFamily, Sample } from '../family.ts';
import { textName } from '../family-names.ts';

/** Suffixes that the text format does not know: such samples become gauges of their own. */
const aside = /_(?:created|gcount|gsum)$/;

/** The families that a family is in the formats that do not know all that OpenMetrics does. */
export function asText(family: MetricFamily): readonly MetricFamily[] {
  const named = { ...family, name: textName(family) };
  const isAside = (sample: Sample) => sample.name !== named.name && aside.test(sample.name);
  if (!['counter', 'histogram', 'summary', 'gaugehistogram'].includes(family.type) || !family.samples.some(isAside)) {
    return [named];
  }
  const gauges = new Map<string, Sample[]>();
  const rest: Sample[] = [];
  for (const sample of family.samples) {
    if (!isAside(sample)) rest.push(sample);
    else if (gauges.has(sample.name)) gauges.get(sample.name)!.push(sample);
    else gauges.set(sample.name, [sample]);
  }
  const ownFamilies = [...gauges].map(([name, samples]): MetricFamily => ({ ...family, name, type: 'gauge', samples }));
  return rest.length === 0 ? ownFamilies : [{ ...named, samples: rest }, ...ownFamilies];
}
