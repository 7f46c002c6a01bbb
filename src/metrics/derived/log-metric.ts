import { HistogramCell } from '../../stats/accumulated-metric.ts';
import type { MetricFamily } from '../family.ts';
import { ownFamily, type OwnSample } from '../own-family.ts';
import { BoundedSeries } from './bounded-series.ts';
import type { LogMetricConfig } from './config.ts';
import { labelValue } from './label-value.ts';

interface Content {
  number: number;
  readonly histogram: HistogramCell | undefined;
}

/** A metric that lines of a log make. */
export class LogMetric {
  readonly #config: LogMetricConfig;
  readonly #series: BoundedSeries<Content>;
  readonly #labels: readonly string[];

  constructor(config: LogMetricConfig, maxSeries: number) {
    this.#config = config;
    this.#series = new BoundedSeries(maxSeries);
    this.#labels = config.pattern.groups.filter((name) => name !== 'value');
    // A metric without labels is there from the beginning.
    if (this.#labels.length === 0 && config.type !== 'gauge') this.#content([]);
  }

  /** `dropped`: a number that is none, one that a counter cannot take, or one series too many. */
  take(line: string): 'counted' | 'other' | 'dropped' {
    const { type, pattern, scale } = this.#config;
    const match = pattern.regex.exec(line);
    if (match === null) return 'other';
    const groups = match.groups ?? {};
    const text = groups['value'];
    const number = text === undefined && type === 'counter' ? 1 : readNumber(text) * scale;
    if (!Number.isFinite(number) || (type === 'counter' && number < 0)) return 'dropped';
    const content = this.#content(this.#labels.flatMap((name) => [name, labelValue(groups[name] ?? '')]));
    if (content === undefined) return 'dropped';
    if (content.histogram !== undefined) content.histogram.observe(number);
    else if (type === 'counter') content.number += number;
    else content.number = number;
    return 'counted';
  }

  family(): MetricFamily {
    const { type, name, help } = this.#config;
    const samples: OwnSample[] = [];
    for (const { labels, content } of this.#series.values()) {
      if (content.histogram === undefined) samples.push([labels, content.number]);
      else {
        for (const { metricName, labels: own, value } of content.histogram.values('', {})) {
          const le = own['le'];
          samples.push([le === undefined ? labels : [...labels, 'le', String(le)], value, metricName ?? '']);
        }
      }
    }
    return ownFamily(type, name, help, samples);
  }

  #content(labels: readonly string[]): Content | undefined {
    const { type, buckets } = this.#config;
    return this.#series.get(labels, () => ({
      number: 0,
      histogram: type === 'histogram' ? new HistogramCell(buckets) : undefined,
    }));
  }
}

/** NaN for what is no plain decimal number: `Number` also takes `0x10` and nothing at all. */
function readNumber(text: string | undefined): number {
  return text !== undefined && /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text) ? Number(text) : NaN;
}
