/** Metrics as they travel through the monitoring sidecar. Numbers stay the text that the app wrote, so that none is rounded. */
import type { Series } from './series.ts';

export type MetricType =
  'counter' | 'gauge' | 'histogram' | 'summary' | 'untyped' | 'unknown' | 'info' | 'stateset' | 'gaugehistogram';

/** A metric family: what one `# TYPE` line and the samples under it say. */
export interface MetricFamily {
  /** As the `# TYPE` line has it: a counter is named without `_total` where it came as OpenMetrics, and with it otherwise. */
  readonly name: string;
  readonly type: MetricType;
  /** Unescaped; undefined when there was no `# HELP`. */
  readonly help: string | undefined;
  readonly unit: string | undefined;
  readonly samples: Sample[];
}

/** Copy one field by field: `name` and `labels` may be made when they are read, which a spread does not see. */
export interface Sample {
  /** The whole name with its suffix: `http_requests_total`, `latency_bucket`. */
  readonly name: string;
  /** Name, value, name, value … in the order of the text, unescaped. */
  readonly labels: readonly string[];
  /** As written: `1`, `+Inf`, `NaN`, `1e-320`. */
  readonly value: string;
  /** Seconds, with a fraction, whatever the format it came in: no digit is lost on the way. */
  readonly timestamp: string | undefined;
  readonly exemplar: Exemplar | undefined;
  /** Name and labels with what is known about them; may be left out. Samples of one series share it from scrape to scrape. */
  readonly series?: Series;
  /** With the count of a native histogram: the whole of it, a message `io.prometheus.client.Histogram`. Only protobuf can carry it. */
  readonly native?: Uint8Array;
}

export interface Exemplar {
  readonly labels: readonly string[];
  readonly value: string;
  /** Seconds, as written. */
  readonly timestamp: string | undefined;
}
