import { describe, expect, it } from 'vitest';
import { ProtobufParser } from '../../../../src/metrics/exposition/protobuf-parser.ts';
import { renderProtobuf } from '../../../../src/metrics/exposition/render-protobuf.ts';
import type { MetricFamily } from '../../../../src/metrics/family.ts';
import { SeriesTable, type Admit } from '../../../../src/metrics/series-table.ts';
import { Series } from '../../../../src/metrics/series.ts';
import { nativeHistogram } from '../../../support/native-histogram.ts';
import { parseAll } from '../../../support/parse-exposition.ts';
import { renderedOpenMetrics, renderedText } from '../../../support/rendered.ts';

function written(families: readonly MetricFamily[]): Buffer {
  return Buffer.concat([...renderProtobuf(families.filter(({ samples }) => samples.length > 0))]);
}

function parsed(bytes: Buffer, { admit, chunk = 65_536 }: { admit?: Admit; chunk?: number } = {}) {
  const parser = new ProtobufParser({
    table: new SeriesTable(admit),
    invalidLines: 'drop',
    maxLineLength: 65_536,
    maxSamples: 1000,
  });
  for (let at = 0; at < bytes.length; at += chunk) parser.write(bytes.subarray(at, at + chunk));
  return parser.end();
}

const page =
  '# TYPE a counter\n# HELP a x\na_total{b="é\\"",c="d"} 1.5 1.25 # {id="x"} 0.5 1.25\n' +
  '# TYPE g gauge\ng -1e-320\ng{v="+"} +Inf\ng{v="n"} NaN\n' +
  '# TYPE h histogram\nh_bucket{x="1",le="0.5"} 1 # {id="y"} 0.25\nh_bucket{x="1",le="+Inf"} 3\nh_sum{x="1"} 2.5\nh_count{x="1"} 3\n' +
  'h_bucket{x="2",le="+Inf"} 0\nh_sum{x="2"} 0\nh_count{x="2"} 0\n' +
  '# TYPE q gaugehistogram\nq_bucket{le="+Inf"} 3\nq_gsum 1\nq_gcount 3\n' +
  '# TYPE s summary\ns{quantile="0.5"} 7\ns_sum 10\ns_count 2\n' +
  '# TYPE u unknown\nu 5\n# EOF\n';

describe('the protobuf format', () => {
  it('carries what the other formats say', () => {
    const { families } = parseAll('openmetrics', page, { invalidLines: 'refuse' });
    const again = parsed(written(families));
    expect(renderedText(again.families)).toBe(renderedText(families));
    const counter = again.families[0]!.samples[0]!;
    expect(counter.exemplar).toEqual({ labels: ['id', 'x'], value: '0.5', timestamp: '1.25' });
    expect(counter.timestamp).toBe('1.25');
    expect(renderedOpenMetrics(again.families)).toContain('h_bucket{x="1",le="0.5"} 1 # {id="y"} 0.25\n');
    expect(again.samplesScraped).toBe(18);
  });

  it('is understood the same in chunks of any size', () => {
    const bytes = written(parseAll('openmetrics', page).families);
    const whole = renderedText(parsed(bytes).families);
    for (const chunk of [1, 2, 3, 7, 100]) expect(renderedText(parsed(bytes, { chunk }).families)).toBe(whole);
  });

  it('passes native histograms as they are, with labels added', () => {
    const { message, histogram } = nativeHistogram('latency_seconds', ['method', 'GET']);
    const admit: Admit = (raw) => new Series(raw.name, [...raw.labels, 'pod', 'web-1']);
    const { families } = parsed(message, { admit });
    // What has no place for the native one sees at least how many observations there were.
    expect(renderedText(families)).toBe(
      '# HELP latency_seconds Latency.\n# TYPE latency_seconds histogram\nlatency_seconds_bucket{method="GET",le="+Inf",pod="web-1"} 5\n' +
        'latency_seconds_sum{method="GET",pod="web-1"} 12.5\nlatency_seconds_count{method="GET",pod="web-1"} 5\n',
    );
    const out = written(families);
    expect(out.includes(histogram)).toBe(true);
    expect(out.includes('web-1')).toBe(true);
    expect(renderedText(parsed(out).families)).toContain('latency_seconds_count{method="GET",pod="web-1"} 5\n');
  });

  it.each([
    ['a page that was cut off', (bytes: Buffer) => bytes.subarray(0, -3), /cut off/],
    ['a field that goes beyond its message', () => Buffer.from([3, 0x0a, 9, 65]), /ends in the middle of a field/],
    ['a family without name', () => Buffer.from([2, 0x18, 0]), /has no name/],
    ['a number of more than 64 bits', () => Buffer.alloc(11, 0xff), /more than 64 bits/],
    ['a wire type that there is not', () => Buffer.from([1, 0x0f]), /wire type 7/],
    ['text', () => Buffer.from('a 1\nb 2\n'.repeat(20)), /./],
  ])('refuses %s', (_, make, message) => {
    expect(() => parsed(make(written(parseAll('openmetrics', page).families)))).toThrow(message);
  });

  it('survives any bytes', () => {
    let seed = 7;
    const random = () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) >>> 8;
    const good = written(parseAll('openmetrics', page).families);
    for (let round = 0; round < 2000; round++) {
      const bytes = Buffer.from(good);
      for (let change = 0; change < 3; change++) bytes[random() % bytes.length] = random() & 0xff;
      try {
        parsed(bytes);
      } catch (error) {
        expect((error as Error).name).toMatch(/^(?:ExpositionFault|ScrapeRefused)$/);
      }
    }
  });
});
