import { gzipSync } from 'node:zlib';
import { encodeOtlp, jsonDouble, otlpContentTypes, type KeyValue, type OtlpEncoding } from '../../otlp/index.ts';
import { numberOf, stale, type Batch, type BatchFamily, type BatchSample } from './batch.ts';
import { metricsRequestShape } from './otlp-metrics-shape.ts';

/** FLAG_NO_RECORDED_VALUE: what OTLP has for the end of a series. */
const noRecordedValue = 1;
const cumulativeTemporality = 2;

/** ExportMetricsServiceRequest. Source: opentelemetry-proto, metrics/v1. */
export function encodeOtlpMetrics(
  batch: Batch,
  resource: Readonly<Record<string, string>>,
  encoding: OtlpEncoding,
): { readonly headers: Readonly<Record<string, string>>; readonly body: Buffer } {
  const request = {
    resourceMetrics: [
      {
        resource: { attributes: attributes(Object.entries(resource).flat()) },
        scopeMetrics: [{ scope: { name: 'portico' }, metrics: batch.families.map(metricOf) }],
      },
    ],
  };
  return {
    headers: { 'content-type': otlpContentTypes[encoding], 'content-encoding': 'gzip' },
    body: gzipSync(encodeOtlp(request, metricsRequestShape, encoding)),
  };
}

function metricOf(family: BatchFamily) {
  const { name, help: description, unit, type } = family;
  const about = { name, ...(description && { description }), ...(unit && { unit }) };
  if (type === 'counter') {
    // When counting began is in a label-less sample of its own in OpenMetrics; its value is no count.
    const dataPoints = family.samples
      .filter((each) => !each.name.endsWith('_created'))
      .map((each) => numberPoint(each, true));
    return { ...about, sum: { aggregationTemporality: cumulativeTemporality, isMonotonic: true, dataPoints } };
  }
  if (type === 'histogram') {
    const dataPoints = pointGroups(family, 'le').map(histogramPoint);
    return { ...about, histogram: { aggregationTemporality: cumulativeTemporality, dataPoints } };
  }
  if (type === 'summary')
    return { ...about, summary: { dataPoints: pointGroups(family, 'quantile').map(summaryPoint) } };
  return { ...about, gauge: { dataPoints: family.samples.map((each) => numberPoint(each, false)) } };
}

function numberPoint(sample: BatchSample, counts: boolean) {
  return {
    ...pointHead(sample, sample.labels, counts),
    ...(sample.value !== stale && { asDouble: jsonDouble(numberOf(sample.value)) }),
  };
}

interface PointGroup {
  readonly labels: readonly string[];
  readonly any: BatchSample;
  /** By the value of the label that tells them apart. */
  readonly parts: Map<number, BatchSample>;
  sum: BatchSample | undefined;
  count: BatchSample | undefined;
}

/** Samples that are one point of a histogram or summary. */
function pointGroups({ name, samples }: BatchFamily, apart: 'le' | 'quantile'): PointGroup[] {
  const groups = new Map<string, PointGroup>();
  for (const sample of samples) {
    const at = sample.labels.findIndex((text, index) => index % 2 === 0 && text === apart);
    const labels = at < 0 ? sample.labels : [...sample.labels.slice(0, at), ...sample.labels.slice(at + 2)];
    const key = JSON.stringify(labels);
    let group = groups.get(key);
    if (group === undefined)
      groups.set(key, (group = { labels, any: sample, parts: new Map(), sum: undefined, count: undefined }));
    if (at >= 0) group.parts.set(numberOf(sample.labels[at + 1]!), sample);
    else if (sample.name === `${name}_sum`) group.sum = sample;
    else if (sample.name === `${name}_count`) group.count = sample;
  }
  return [...groups.values()];
}

function histogramPoint({ labels, any, parts, sum, count }: PointGroup) {
  const head = pointHead(any, labels, true);
  if (any.value === stale) return head;
  const buckets = [...parts].sort(([a], [b]) => a - b);
  const explicitBounds = buckets.map(([bound]) => bound).filter((bound) => bound !== Infinity);
  let before = 0;
  // Prometheus adds up from bucket to bucket, OTLP does not.
  const counts = buckets.map(([, sample]) => {
    const total = numberOf(sample.value);
    const own = Math.max(0, total - before);
    before = total;
    return own;
  });
  const all = count === undefined ? before : numberOf(count.value);
  if (counts.length === explicitBounds.length) counts.push(Math.max(0, all - before));
  return {
    ...head,
    count: wholeCount(all),
    ...(sum && { sum: jsonDouble(numberOf(sum.value)) }),
    ...(parts.size > 0 && { bucketCounts: counts.map(wholeCount), explicitBounds }),
  };
}

function summaryPoint({ labels, any, parts, sum, count }: PointGroup) {
  const head = pointHead(any, labels, true);
  if (any.value === stale) return head;
  return {
    ...head,
    count: wholeCount(count === undefined ? 0 : numberOf(count.value)),
    sum: jsonDouble(sum === undefined ? 0 : numberOf(sum.value)),
    quantileValues: Array.from(parts, ([quantile, { value }]) => ({ quantile, value: jsonDouble(numberOf(value)) })),
  };
}

function pointHead({ at, start, value }: BatchSample, labels: readonly string[], counts: boolean) {
  return {
    attributes: attributes(labels),
    timeUnixNano: nanos(at),
    ...(counts && { startTimeUnixNano: nanos(Math.min(start, at)) }),
    ...(value === stale && { flags: noRecordedValue }),
  };
}

function attributes(pairs: readonly string[]): KeyValue[] {
  const list: KeyValue[] = [];
  for (let at = 0; at < pairs.length; at += 2) list.push({ key: pairs[at]!, value: { stringValue: pairs[at + 1]! } });
  return list;
}

const mostCount = 2n ** 64n - 1n;

/** OTLP counts in whole numbers of 64 bits; what is none would make the receiver refuse the whole batch. */
function wholeCount(value: number): string {
  if (!(value > 0)) return '0';
  if (value >= Number(mostCount)) return String(mostCount);
  return String(BigInt(Math.round(value)));
}

function nanos(milliseconds: number): string {
  return String(BigInt(Math.max(0, Math.round(milliseconds))) * 1_000_000n);
}
