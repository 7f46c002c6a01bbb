import type { MetricFamily, Sample } from './family.ts';
import { suffixOf, withoutSuffix } from './family-names.ts';

/**
 * Puts samples that relabelling gave another name into a family that fits: `foo_bucket` → `bar_bucket` makes a histogram `bar`
 * with the help of `foo`.
 */
export function settleNames(families: readonly MetricFamily[]): readonly MetricFamily[] {
  return families.flatMap((family) =>
    family.samples.every((sample) => fits(family, sample)) ? [family] : settle(family),
  );
}

function settle(family: MetricFamily): MetricFamily[] {
  const { type, help } = family;
  const settled = new Map<string, Sample[]>([[family.name, []]]);
  for (const sample of family.samples) {
    const name = fits(family, sample) ? family.name : nameFor(family, sample.name);
    const samples = settled.get(name);
    if (samples === undefined) settled.set(name, [sample]);
    else samples.push(sample);
  }
  return [...settled].map(([name, samples]) => {
    const unit = family.unit !== undefined && name.endsWith(`_${family.unit}`) ? family.unit : undefined;
    return { name, type, help, unit, samples };
  });
}

function fits(family: MetricFamily, sample: Sample): boolean {
  return suffixOf(family, sample.name) !== undefined;
}

/** A counter is named with its suffix where the family is. */
function nameFor(family: MetricFamily, sampleName: string): string {
  const keepsSuffix = family.type === 'counter' && family.name.endsWith('_total');
  return keepsSuffix ? sampleName : withoutSuffix(family.type, sampleName);
}
