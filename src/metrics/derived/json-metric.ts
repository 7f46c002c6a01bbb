import type { MetricFamily } from '../family.ts';
import { ownFamily, type OwnSample } from '../own-family.ts';
import type { JsonMetricConfig } from './config.ts';
import { findInJson } from './json-path.ts';
import { labelValue } from './label-value.ts';

/**
 * The samples of a metric in a document. What is not a number, has a label that is neither text, number nor boolean, is one too many
 * or has the labels of another one is dropped.
 */
export function jsonFamily(
  { name, type, help, path, labels }: JsonMetricConfig,
  document: unknown,
  maxSeries: number,
): { readonly family: MetricFamily; readonly dropped: number } {
  const samples = new Map<string, OwnSample>();
  let dropped = 0;
  for (const { value, parent, key } of findInJson(document, path, maxSeries)) {
    const pairs: string[] = [];
    for (const [label, from] of Object.entries(labels)) {
      const found: unknown = from === '@key' ? key : findInJson(parent, from, 1)[0]?.value;
      if (typeof found !== 'string' && typeof found !== 'number' && typeof found !== 'boolean') continue;
      pairs.push(label, labelValue(String(found)));
    }
    const series = JSON.stringify(pairs);
    const fits = typeof value === 'number' && Number.isFinite(value) && !(type === 'counter' && value < 0);
    const whole = pairs.length === 2 * Object.keys(labels).length;
    if (fits && whole && samples.size < maxSeries && !samples.has(series)) samples.set(series, [pairs, value]);
    else dropped++;
  }
  return { family: ownFamily(type, name, help, samples.values()), dropped };
}
