import type { MetricFamily, MetricType } from './family.ts';

/** Suffixes of the samples that belong to a family of a type, in either format. */
const suffixes: Readonly<Partial<Record<MetricType, readonly string[]>>> = {
  counter: ['_total', '_created'],
  histogram: ['_bucket', '_count', '_sum', '_created'],
  summary: ['_count', '_sum', '_created'],
  info: ['_info'],
  gaugehistogram: ['_bucket', '_gcount', '_gsum'],
};

/** What a sample's name has beyond the name of its family: `_bucket`, `` for none; undefined when it is no name of the family's. */
export function suffixOf({ name, type }: Pick<MetricFamily, 'name' | 'type'>, sampleName: string): string | undefined {
  if (sampleName === name) return '';
  if (!sampleName.startsWith(name)) return undefined;
  const rest = sampleName.slice(name.length);
  return suffixes[type]?.includes(rest) === true ? rest : undefined;
}

/** Names besides its own that a family's samples have. */
export function suffixedNames({ name, type }: Pick<MetricFamily, 'name' | 'type'>): readonly string[] {
  return (suffixes[type] ?? []).map((suffix) => name + suffix);
}

/** The family's name without what the type puts at the end of sample names. */
export function withoutSuffix(type: MetricType, sampleName: string): string {
  const suffix = suffixes[type]?.find((one) => sampleName.endsWith(one) && sampleName.length > one.length);
  return suffix === undefined ? sampleName : sampleName.slice(0, -suffix.length);
}

/** What `# TYPE` of the text format calls a family: counters and infos are named as their samples are. */
export function textName({ name, type, samples }: MetricFamily): string {
  const suffix = type === 'counter' ? '_total' : type === 'info' ? '_info' : undefined;
  return suffix !== undefined && samples.some((sample) => sample.name === name + suffix) ? name + suffix : name;
}
