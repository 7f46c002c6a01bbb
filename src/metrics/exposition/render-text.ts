import type { MetricFamily, MetricType } from '../family.ts';
import { seriesOf } from '../merge-families.ts';
import { quotedName } from '../series.ts';
import { asText } from './as-text.ts';
import { escapeHelp } from './escape.ts';
import { isLegacyMetricName } from './names.ts';
import { isTimestamp, secondsToMilliseconds } from './number.ts';
import { inChunks } from './in-chunks.ts';

/** What the text format makes of the types that only OpenMetrics has, as Prometheus' own clients do. */
const textTypes: Readonly<Record<MetricType, string>> = {
  counter: 'counter',
  gauge: 'gauge',
  histogram: 'histogram',
  summary: 'summary',
  untyped: 'untyped',
  unknown: 'untyped',
  info: 'gauge',
  stateset: 'gauge',
  gaugehistogram: 'histogram',
};

/**
 * The Prometheus text format, 0.0.4; 1.0.0 when a name needs quotation marks. Names, values and the order stay; units and
 * exemplars have no place in it.
 */
export function renderText(families: readonly MetricFamily[]): Iterable<Buffer> {
  return inChunks(lines(families));
}

function* lines(families: readonly MetricFamily[]): Generator<string> {
  for (const family of families) {
    for (const { name, type, help, samples } of asText(family)) {
      const written = isLegacyMetricName(name) ? name : quotedName(name);
      if (help !== undefined) yield `# HELP ${written} ${escapeHelp(help)}\n`;
      yield `# TYPE ${written} ${textTypes[type]}\n`;
      for (const sample of samples) {
        const time = sample.timestamp === undefined ? undefined : secondsToMilliseconds(sample.timestamp);
        // Before 1970 or later than the year 292 million: Prometheus would refuse the page.
        if (time !== undefined && !isTimestamp(time)) continue;
        yield `${seriesOf(sample).text} ${sample.value}${time === undefined ? '' : ` ${time}`}\n`;
      }
    }
  }
}
