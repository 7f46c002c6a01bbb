import type { MetricType } from '../family.ts';

/** What the samples of a family are named besides the family's name, by type (OpenMetrics 1.0, "Suffixes"). */
export const sampleSuffixes: Readonly<Record<Exclude<MetricType, 'untyped'>, readonly string[]>> = {
  counter: ['_total', '_created'],
  gauge: [''],
  histogram: ['_bucket', '_count', '_sum', '_created'],
  summary: ['', '_count', '_sum', '_created'],
  unknown: [''],
  info: ['_info'],
  stateset: [''],
  gaugehistogram: ['_bucket', '_gcount', '_gsum'],
};

export type OpenMetricsType = keyof typeof sampleSuffixes;

export function isOpenMetricsType(text: string): text is OpenMetricsType {
  return Object.hasOwn(sampleSuffixes, text);
}
