import type { MetricFamily, MetricType, Sample } from '../family.ts';
import { textName } from '../family-names.ts';
import { seriesOf } from '../merge-families.ts';
import { quotedName } from '../series.ts';
import { escapeHelp } from './escape.ts';
import { isLegacyMetricName } from './names.ts';
import { isInteger64, secondsToMilliseconds } from './number.ts';
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

/** Suffixes that the text format does not know: such samples become gauges of their own. */
const aside = /_(?:created|gcount|gsum)$/;

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
        // Later than the year 292 million: readers of this format would refuse the page.
        if (time !== undefined && !isInteger64(time)) continue;
        yield `${seriesOf(sample).text} ${sample.value}${time === undefined ? '' : ` ${time}`}\n`;
      }
    }
  }
}

function asText(family: MetricFamily): readonly MetricFamily[] {
  const named = { ...family, name: textName(family) };
  const isAside = (sample: Sample) => sample.name !== named.name && aside.test(sample.name);
  if (!['counter', 'histogram', 'summary', 'gaugehistogram'].includes(family.type) || !family.samples.some(isAside)) {
    return [named];
  }
  const gauges = new Map<string, Sample[]>();
  const rest: Sample[] = [];
  for (const sample of family.samples) {
    if (!isAside(sample)) rest.push(sample);
    else if (gauges.has(sample.name)) gauges.get(sample.name)!.push(sample);
    else gauges.set(sample.name, [sample]);
  }
  const ownFamilies = [...gauges].map(([name, samples]): MetricFamily => ({ ...family, name, type: 'gauge', samples }));
  return rest.length === 0 ? ownFamilies : [{ ...named, samples: rest }, ...ownFamilies];
}
