import { ProtobufWriter } from '../../protobuf/index.ts';
import type { Exemplar, MetricFamily, MetricType, Sample } from '../family.ts';
import { seriesOf } from '../merge-families.ts';
import { labelValue } from '../series.ts';
import { asText } from './as-text.ts';
import { secondsToMilliseconds, toNumber } from './number.ts';

const typeNumbers: Readonly<Record<MetricType, number>> = {
  counter: 0,
  gauge: 1,
  summary: 2,
  untyped: 3,
  unknown: 3,
  info: 1,
  stateset: 1,
  histogram: 4,
  gaugehistogram: 5,
};

/**
 * Messages `io.prometheus.client.MetricFamily`, each behind its length. Numbers are doubles here, which is what Prometheus makes of
 * them in any format. Native histograms are the bytes that the app sent.
 */
export function* renderProtobuf(families: readonly MetricFamily[]): Generator<Buffer> {
  for (const family of families) {
    // A gauge histogram has its sum and count with it, unlike in the text format.
    for (const one of family.type === 'gaugehistogram' ? [family] : asText(family)) {
      const message = writeFamily(one).finish();
      yield Buffer.concat([new ProtobufWriter().varint(message.length).finish(), message]);
    }
  }
}

function writeFamily({ name, type, help, unit, samples }: MetricFamily): ProtobufWriter {
  const writer = new ProtobufWriter().text(1, name);
  if (help !== undefined) writer.text(2, help);
  writer.integer(3, typeNumbers[type]);
  if (type === 'histogram' || type === 'gaugehistogram') {
    for (const group of groupsOf(samples))
      writeMetric(writer, group, 'le', 7, (body) => writeHistogram(body, name, group));
  } else if (type === 'summary') {
    for (const group of groupsOf(samples))
      writeMetric(writer, group, 'quantile', 4, (body) => writeSummary(body, name, group));
  } else {
    const field = type === 'counter' ? 3 : typeNumbers[type] === 3 ? 5 : 2;
    for (const sample of samples) {
      writeMetric(writer, [sample], undefined, field, (body) => {
        body.double(1, toNumber(sample.value));
        if (type === 'counter' && sample.exemplar !== undefined) writeExemplar(body, 2, sample.exemplar);
      });
    }
  }
  if (unit !== undefined && unit !== '') writer.text(5, unit);
  return writer;
}

/** @param without the label that tells the samples of the metric apart */
function writeMetric(
  family: ProtobufWriter,
  [first]: readonly Sample[],
  without: string | undefined,
  field: number,
  write: (body: ProtobufWriter) => void,
): void {
  family.message(4, (metric) => {
    writeLabels(metric, first!.labels, without);
    metric.message(field, write);
    const time = first!.timestamp === undefined ? undefined : secondsToMilliseconds(first!.timestamp);
    if (time !== undefined && Number.isSafeInteger(Number(time))) metric.integer(6, Number(time));
  });
}

function writeHistogram(body: ProtobufWriter, name: string, group: readonly Sample[]): void {
  const native = group.find((sample) => sample.native !== undefined)?.native;
  if (native !== undefined) return void body.raw(native);
  for (const { name: sampleName, labels, value, exemplar } of group) {
    const number = toNumber(value);
    const suffix = sampleName.slice(name.length);
    if (suffix === '_count' || suffix === '_gcount') writeCount(body, number, 1, 4);
    else if (suffix === '_sum' || suffix === '_gsum') body.double(2, number);
    else if (suffix === '_bucket') {
      body.message(3, (bucket) => {
        writeCount(bucket, number, 1, 4);
        bucket.double(2, toNumber(labelValue(labels, 'le') ?? ''));
        if (exemplar !== undefined) writeExemplar(bucket, 3, exemplar);
      });
    }
  }
}

function writeSummary(body: ProtobufWriter, name: string, group: readonly Sample[]): void {
  for (const { name: sampleName, labels, value } of group) {
    const suffix = sampleName.slice(name.length);
    if (suffix === '_count') body.integer(1, Math.max(0, Math.trunc(toNumber(value)) || 0));
    else if (suffix === '_sum') body.double(2, toNumber(value));
    else
      body.message(3, (one) =>
        one.double(1, toNumber(labelValue(labels, 'quantile') ?? '')).double(2, toNumber(value)),
      );
  }
}

/** Whole counts have another field than those with a fraction. */
function writeCount(body: ProtobufWriter, count: number, whole: number, fraction: number): void {
  if (Number.isSafeInteger(count) && count >= 0) body.integer(whole, count);
  else body.double(fraction, count);
}

function writeExemplar(body: ProtobufWriter, field: number, { labels, value, timestamp }: Exemplar): void {
  body.message(field, (exemplar) => {
    writeLabels(exemplar, labels, undefined);
    exemplar.double(2, toNumber(value));
    if (timestamp === undefined) return;
    const seconds = Math.floor(Number(timestamp));
    const nanos = Math.round((Number(timestamp) - seconds) * 1e9);
    if (Number.isSafeInteger(seconds)) exemplar.message(3, (time) => time.integer(1, seconds).integer(2, nanos));
  });
}

function writeLabels(writer: ProtobufWriter, labels: readonly string[], without: string | undefined): void {
  for (let at = 0; at < labels.length; at += 2) {
    const name = labels[at]!;
    if (name !== without) writer.message(1, (pair) => pair.text(1, name).text(2, labels[at + 1]!));
  }
}

/** The samples of each metric, in the order of their first one. */
function groupsOf(samples: readonly Sample[]): Iterable<Sample[]> {
  const groups = new Map<string, Sample[]>();
  for (const sample of samples) {
    const key = `${seriesOf(sample).groupHash} ${sample.timestamp ?? ''}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [sample]);
    else group.push(sample);
  }
  return groups.values();
}
