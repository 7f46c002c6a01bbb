import { attributes, resourceShape, scopeShape } from '../../otlp/index.ts';
import {
  bool,
  double,
  fixed64,
  integer,
  message,
  messages,
  packedDoubles,
  packedFixed64,
  text,
  type MessageShape,
} from '../../protobuf/index.ts';

const numberPoint: MessageShape = {
  attributes: attributes(7),
  startTimeUnixNano: fixed64(2),
  timeUnixNano: fixed64(3),
  asDouble: double(4),
  flags: integer(8),
};

const histogramPoint: MessageShape = {
  attributes: attributes(9),
  startTimeUnixNano: fixed64(2),
  timeUnixNano: fixed64(3),
  count: fixed64(4),
  sum: double(5),
  bucketCounts: packedFixed64(6),
  explicitBounds: packedDoubles(7),
  flags: integer(10),
};

const quantileValue: MessageShape = { quantile: double(1), value: double(2) };

const summaryPoint: MessageShape = {
  attributes: attributes(7),
  startTimeUnixNano: fixed64(2),
  timeUnixNano: fixed64(3),
  count: fixed64(4),
  sum: double(5),
  quantileValues: messages(6, () => quantileValue),
  flags: integer(8),
};

const gauge: MessageShape = { dataPoints: messages(1, () => numberPoint) };

const sum: MessageShape = { ...gauge, aggregationTemporality: integer(2), isMonotonic: bool(3) };

const histogram: MessageShape = { dataPoints: messages(1, () => histogramPoint), aggregationTemporality: integer(2) };

const summary: MessageShape = { dataPoints: messages(1, () => summaryPoint) };

const metric: MessageShape = {
  name: text(1),
  description: text(2),
  unit: text(3),
  gauge: message(5, () => gauge),
  sum: message(7, () => sum),
  histogram: message(9, () => histogram),
  summary: message(11, () => summary),
};

const scopeMetrics: MessageShape = { scope: message(1, () => scopeShape), metrics: messages(2, () => metric) };

const resourceMetrics: MessageShape = {
  resource: message(1, () => resourceShape),
  scopeMetrics: messages(2, () => scopeMetrics),
};

/** ExportMetricsServiceRequest. Numbers of the fields: opentelemetry-proto, metrics/v1 and collector/metrics/v1. */
export const metricsRequestShape: MessageShape = { resourceMetrics: messages(1, () => resourceMetrics) };
