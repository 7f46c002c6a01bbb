import type { MetricFamily } from '../family.ts';
import { mergeFamilies, seriesOf } from '../merge-families.ts';
import { Series } from '../series.ts';
import { escapeName, isLegacyMetricName, type EscapingScheme } from './names.ts';

/**
 * Writes names for a reader that does not take UTF-8. Two names may become one, so that families and series are merged again;
 * the same list where nothing is to be done.
 */
export function escapeFamilies(families: readonly MetricFamily[], scheme: EscapingScheme): readonly MetricFamily[] {
  if (scheme === 'allow-utf-8') return families;
  if (scheme !== 'dots' && families.every(isLegacy)) return families;
  return mergeFamilies([families.map((family) => escapeFamily(family, scheme))]).families;
}

function isLegacy({ name, samples }: MetricFamily): boolean {
  return isLegacyMetricName(name) && samples.every((sample) => seriesOf(sample).legacy);
}

function escapeFamily(family: MetricFamily, scheme: EscapingScheme): MetricFamily {
  const name = escapeName(family.name, scheme);
  const samples = family.samples.map((sample) => {
    // The suffix is no part of the family's name, so that it is found again behind the escaped one.
    const suffix = sample.name.startsWith(family.name) ? sample.name.slice(family.name.length) : undefined;
    const sampleName = suffix === undefined ? escapeName(sample.name, scheme) : name + suffix;
    const labels = sample.labels.map((text, at) => (at % 2 === 0 ? escapeName(text, scheme, 'label') : text));
    const series = new Series(sampleName, withoutRepeated(labels));
    return { ...sample, name: sampleName, labels: series.labels, series };
  });
  const unit = family.unit !== undefined && name.endsWith(`_${family.unit}`) ? family.unit : undefined;
  return { ...family, name, unit, samples };
}

/** Labels whose names became one: the first stays. */
function withoutRepeated(labels: readonly string[]): readonly string[] {
  const names = new Set<string>();
  const kept: string[] = [];
  for (let at = 0; at < labels.length; at += 2) {
    if (names.has(labels[at]!)) continue;
    names.add(labels[at]!);
    kept.push(labels[at]!, labels[at + 1]!);
  }
  return kept;
}
