import { ProtobufWriter } from '../../protobuf/index.ts';
import type { MetricType } from '../family.ts';
import { numberOf, stale, type Batch, type BatchSample } from './batch.ts';
import { snappyCompress } from './snappy.ts';

export type RemoteWriteVersion = '1.0' | '2.0';

/** The NaN that ends a series. Source: prometheus/prometheus model/value. */
const staleBits = 0x7ff0000000000002n;
/** Every other NaN is this one. */
const normalNaN = 0x7ff8000000000001n;

/** Numbers of both versions' MetricType. */
const typeNumbers: Record<MetricType, number> = {
  untyped: 0,
  unknown: 0,
  counter: 1,
  gauge: 2,
  histogram: 3,
  gaugehistogram: 4,
  summary: 5,
  info: 6,
  stateset: 7,
};

/** A body with the header fields that go with it. Source: Prometheus Remote-Write 1.0 and 2.0 specifications. */
export function encodeRemoteWrite(
  batch: Batch,
  version: RemoteWriteVersion,
): { readonly headers: Readonly<Record<string, string>>; readonly body: Buffer } {
  const two = version === '2.0';
  return {
    headers: {
      'content-type': two ? 'application/x-protobuf;proto=io.prometheus.write.v2.Request' : 'application/x-protobuf',
      'content-encoding': 'snappy',
      'x-prometheus-remote-write-version': two ? '2.0.0' : '0.1.0',
    },
    body: snappyCompress(two ? versionTwo(batch) : versionOne(batch)),
  };
}

/** prometheus.WriteRequest */
function versionOne({ families }: Batch): Buffer {
  const request = new ProtobufWriter();
  for (const { samples } of families) {
    for (const sample of samples) {
      request.message(1, (series) => {
        eachLabel(sample, (name, value) => series.message(1, (label) => label.text(1, name).text(2, value)));
        series.message(2, (each) => writeSample(each, sample));
      });
    }
  }
  for (const { name, type, help, unit } of families) {
    request.message(3, (metadata) => {
      metadata.integer(1, typeNumbers[type]).text(2, name);
      if (help !== '') metadata.text(4, help);
      if (unit !== '') metadata.text(5, unit);
    });
  }
  return request.finish();
}

/** io.prometheus.write.v2.Request */
function versionTwo({ families }: Batch): Buffer {
  // The first symbol is empty: number 0 stands for nothing.
  const symbols = new Map<string, number>([['', 0]]);
  const symbol = (text: string): number => {
    let number = symbols.get(text);
    if (number === undefined) symbols.set(text, (number = symbols.size));
    return number;
  };
  const allSeries = new ProtobufWriter();
  for (const { type, help, unit, samples } of families) {
    for (const sample of samples) {
      allSeries.message(5, (series) => {
        const labels: number[] = [];
        eachLabel(sample, (name, value) => labels.push(symbol(name), symbol(value)));
        series.packed(1, labels);
        series.message(2, (each) => writeSample(each, sample));
        series.message(5, (metadata) => {
          metadata.integer(1, typeNumbers[type]);
          if (help !== '') metadata.integer(3, symbol(help));
          if (unit !== '') metadata.integer(4, symbol(unit));
        });
      });
    }
  }
  const table = new ProtobufWriter();
  for (const text of symbols.keys()) table.text(4, text);
  return Buffer.concat([table.finish(), allSeries.finish()]);
}

function writeSample(writer: ProtobufWriter, { value, at }: BatchSample): void {
  const number = value === stale ? NaN : numberOf(value);
  if (Number.isNaN(number)) writer.fixed64(1, value === stale ? staleBits : normalNaN);
  else writer.double(1, number);
  writer.integer(2, at);
}

/** All labels with the name, in the order of their names. */
function eachLabel({ name, labels }: BatchSample, tell: (name: string, value: string) => void): void {
  let named = false;
  for (let at = 0; at < labels.length; at += 2) {
    if (!named && labels[at]! > '__name__') {
      tell('__name__', name);
      named = true;
    }
    tell(labels[at]!, labels[at + 1]!);
  }
  if (!named) tell('__name__', name);
}
