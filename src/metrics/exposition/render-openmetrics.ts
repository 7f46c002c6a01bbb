import type { Exemplar, MetricFamily } from '../family.ts';
import { seriesOf } from '../merge-families.ts';
import { labelsText, quotedName, Series } from '../series.ts';
import { asOpenMetrics } from './as-openmetrics.ts';
import { escapeLabelValue } from './escape.ts';
import { isLegacyMetricName } from './names.ts';
import { inChunks } from './in-chunks.ts';

/** OpenMetrics 1.0 text, with its one `# EOF`. */
export function renderOpenMetrics(families: readonly MetricFamily[]): Iterable<Buffer> {
  return inChunks(lines(families));
}

function* lines(families: readonly MetricFamily[]): Generator<string> {
  for (const { name, type, unit, help, samples, sampleName } of asOpenMetrics(families)) {
    const written = isLegacyMetricName(name) ? name : quotedName(name);
    yield `# TYPE ${written} ${type}\n`;
    if (unit !== undefined && unit !== '') yield `# UNIT ${written} ${unit}\n`;
    if (help !== undefined) yield `# HELP ${written} ${escapeLabelValue(help)}\n`;
    for (const sample of samples) {
      const series = sampleName === undefined ? seriesOf(sample) : new Series(sampleName, sample.labels);
      const time = sample.timestamp === undefined ? '' : ` ${sample.timestamp}`;
      yield `${series.text} ${sample.value}${time}${sample.exemplar === undefined ? '' : exemplarText(sample.exemplar)}\n`;
    }
  }
  yield '# EOF\n';
}

function exemplarText({ labels, value, timestamp }: Exemplar): string {
  return ` # {${labelsText(labels)}} ${value}${timestamp === undefined ? '' : ` ${timestamp}`}`;
}
