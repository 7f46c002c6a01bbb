import { ProtobufWriter } from '../../src/protobuf/index.ts';

/** A family with one native histogram as client libraries send it: 5 observations, two in (1, 2], three in (2, 4]. */
export function nativeHistogram(
  name: string,
  labels: readonly [string, string],
): { message: Buffer; histogram: Buffer } {
  const zigzag = (value: number) => (value < 0 ? -2 * value - 1 : 2 * value);
  const histogram = new ProtobufWriter()
    .integer(1, 5)
    .double(2, 12.5)
    .integer(5, zigzag(0))
    .double(6, 1e-128)
    .integer(7, 0)
    .message(12, (span) => span.integer(1, zigzag(1)).integer(2, 2))
    .integer(13, zigzag(2))
    .integer(13, zigzag(1))
    .finish();
  const family = new ProtobufWriter()
    .text(1, name)
    .text(2, 'Latency.')
    .integer(3, 4)
    .message(4, (metric) => metric.message(1, (pair) => pair.text(1, labels[0]).text(2, labels[1])).bytes(7, histogram))
    .finish();
  return { message: Buffer.concat([new ProtobufWriter().varint(family.length).finish(), family]), histogram };
}
