import type { MetricFamily, MetricType, Sample } from '../family.ts';
import { suffixedNames } from '../family-names.ts';
import { seriesOf } from '../merge-families.ts';
import { toNumber } from './number.ts';

/** A family as OpenMetrics has it, with what its samples are to be called where that is another name than theirs. */
export interface OpenMetricsFamily extends MetricFamily {
  readonly sampleName?: string;
}

/**
 * What the text format leaves open and OpenMetrics does not: counters are named without `_total` and their samples with it,
 * untyped is unknown, the start of a counter (`_created`) stands with the counter, the samples of one histogram stand together.
 * A counter that cannot be one there, because it falls below zero or its name is taken, becomes unknown.
 */
export function asOpenMetrics(families: readonly MetricFamily[]): OpenMetricsFamily[] {
  const taken = new Set(families.filter(({ type }) => type !== 'counter').map(({ name }) => name));
  const created = createdGauges(families);
  return families.flatMap((family): OpenMetricsFamily[] => {
    if (created.folded.has(family)) return [];
    switch (family.type) {
      case 'untyped':
        return [{ ...family, type: 'unknown' }];
      case 'counter':
        return [asCounter(family, created.of(baseName(family)), taken)];
      case 'histogram':
      case 'summary':
        return [{ ...family, samples: inGroups([...family.samples, ...created.of(family.name)]) }];
      case 'gaugehistogram':
        return [{ ...family, samples: inGroups(family.samples) }];
      default:
        return [family];
    }
  });
}

function asCounter(family: MetricFamily, created: readonly Sample[], taken: ReadonlySet<string>): OpenMetricsFamily {
  const base = baseName(family);
  const total = `${base}_total`;
  const unknown: OpenMetricsFamily = { ...family, name: family.samples[0]!.name, type: 'unknown', unit: undefined };
  const isPlain = family.samples.every(({ name }) => name === base);
  if (taken.has(base) || (isPlain && taken.has(total)) || family.samples.some(isNoCount)) return unknown;
  if (isPlain) return { ...family, name: base, sampleName: total };
  const samples = created.length === 0 ? family.samples : inGroups([...family.samples, ...created]);
  return { ...family, name: base, samples };
}

function baseName({ name }: MetricFamily): string {
  return name.endsWith('_total') ? name.slice(0, -'_total'.length) : name;
}

function isNoCount({ name, value }: Sample): boolean {
  // Few values begin with another sign than a digit.
  return (value.startsWith('-') || /^n/i.test(value)) && !(toNumber(value) >= 0) && !name.endsWith('_created');
}

const mayBeCreated: readonly MetricType[] = ['gauge', 'untyped', 'unknown'];

/** Gauges that the text format has for the start of a counter, histogram or summary. */
function createdGauges(families: readonly MetricFamily[]): {
  folded: ReadonlySet<MetricFamily>;
  of(base: string): readonly Sample[];
} {
  const types: readonly MetricType[] = ['counter', 'histogram', 'summary'];
  const gauges = new Map(
    families
      .filter(({ name, type }) => mayBeCreated.includes(type) && name.endsWith('_created'))
      .map((one) => [one.name, one]),
  );
  const folded = new Set<MetricFamily>();
  for (const family of gauges.size === 0 ? [] : families) {
    const base = family.type === 'counter' ? baseName(family) : family.name;
    const gauge = gauges.get(`${base}_created`);
    const hasSuffixes =
      family.type !== 'counter' ||
      family.samples.some(({ name }) => suffixedNames({ name: base, type: 'counter' }).includes(name));
    if (gauge !== undefined && types.includes(family.type) && hasSuffixes && !family.samples.some(isNoCount))
      folded.add(gauge);
  }
  return {
    folded,
    of(base) {
      const gauge = gauges.get(`${base}_created`);
      return gauge !== undefined && folded.has(gauge) ? gauge.samples : [];
    },
  };
}

/** The samples of each group in one piece, groups in the order of their first sample; the same array where they are. */
function inGroups(samples: Sample[]): Sample[] {
  let current: number | undefined;
  let inPieces = false;
  const groups = new Map<number, Sample[]>();
  for (const sample of samples) {
    const group = seriesOf(sample).groupHash;
    const known = groups.get(group);
    if (known === undefined) groups.set(group, [sample]);
    else known.push(sample);
    inPieces ||= known !== undefined && group !== current;
    current = group;
  }
  return inPieces ? [...groups.values()].flat() : samples;
}
