/** What OpenMetrics 1.0 says about single samples and metadata, by type of metric. All throw LineFault. */
import type { Exemplar, MetricType } from '../family.ts';
import { labelHash } from '../label-hash.ts';
import { labelValue } from '../series.ts';
import type { KnownSeries } from '../series-table.ts';
import { LineFault, shown } from './fault.ts';
import { toNumber } from './number.ts';
import { openMetricsNotation, parseSeries } from './parse-series.ts';

interface Family {
  readonly name: string;
  readonly type: MetricType;
}

/** A unit is the end of the name, and not all types have one. */
export function checkUnit(name: string, type: MetricType, unit: string | undefined): void {
  if (unit === undefined || unit === '') return;
  if (!name.endsWith(`_${unit}`))
    throw new LineFault(`has the unit ${shown(unit)}, with which ${shown(name)} does not end`);
  if (type === 'info' || type === 'stateset') throw new LineFault(`has a unit for a metric of type ${type}`);
}

/** @param suffix what the sample's name has after the family's */
export function checkSample(family: Family, suffix: string, value: string, exemplar: Exemplar | undefined): void {
  switch (family.type) {
    case 'counter':
      checkCount(suffix, value);
      break;
    case 'histogram':
    case 'gaugehistogram':
      checkCount(suffix, value);
      break;
    case 'summary':
      if (suffix !== '') checkCount(suffix, value);
      else if (toNumber(value) < 0) throw new LineFault('is a quantile and negative');
      break;
    case 'stateset':
      if (value !== '0' && toNumber(value) !== 0 && toNumber(value) !== 1)
        throw new LineFault('is a state that is neither 0 nor 1');
      break;
    case 'info':
      if (toNumber(value) !== 1) throw new LineFault('is an info that is not 1');
      break;
  }
  if (exemplar === undefined) return;
  const mayHaveOne =
    (family.type === 'counter' && suffix === '_total') ||
    ((family.type === 'histogram' || family.type === 'gaugehistogram') && suffix === '_bucket');
  if (!mayHaveOne) throw new LineFault('has an exemplar, which only buckets and counters may have');
}

/** Counts and sums of counts are numbers of at least 0; only the sum of a gauge histogram may be less. */
function checkCount(suffix: string, value: string): void {
  if (suffix === '_created') return;
  const number = toNumber(value);
  if (Number.isNaN(number)) throw new LineFault('is a count or a sum and NaN');
  if (number < 0 && suffix !== '_gsum') throw new LineFault('is a count or a sum and negative');
}

/** Works out what of a series depends on the type of its family, once. */
export function learn(known: KnownSeries, { type, name }: Family, suffix: string): void {
  const { labels } = parseSeries(known.text, openMetricsNotation);
  if (suffix === '_bucket') known.bound = readBound(labelValue(labels, 'le'));
  if (type === 'summary' && suffix === '') known.bound = readQuantile(labelValue(labels, 'quantile'));
  if (type === 'stateset' && labelValue(labels, name) === undefined) throw new LineFault(`has no label ${name}`);
  known.group = groupOf(type, name, suffix, labels);
  known.type = type;
}

function readBound(bound: string | undefined): number {
  if (bound === undefined) throw new LineFault('is a bucket without le');
  const number = toNumber(bound);
  if (Number.isNaN(number)) throw new LineFault(`has ${shown(bound)} as le`);
  if (number === Infinity && bound !== '+Inf') throw new LineFault(`has ${shown(bound)} as le; write +Inf`);
  return number;
}

function readQuantile(quantile: string | undefined): number {
  const number = toNumber(quantile ?? '-');
  if (number >= 0 && number <= 1) return number;
  throw new LineFault('is a quantile whose label quantile is not from 0 to 1');
}

/** The labels that samples of one metric share: those without what tells its parts from each other. */
function groupOf(type: MetricType, name: string, suffix: string, labels: readonly string[]): number {
  switch (type) {
    case 'info':
      return 0;
    case 'stateset':
      return labelHash('', labels, (label) => label === name);
    case 'summary':
      return labelHash('', labels, (label) => suffix === '' && label === 'quantile');
    case 'histogram':
    case 'gaugehistogram':
      return labelHash('', labels, (label) => suffix === '_bucket' && label === 'le');
    default:
      return labelHash('', labels, () => false);
  }
}
