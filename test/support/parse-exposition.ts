import { openMetricsParser } from '../../src/metrics/exposition/openmetrics-parser.ts';
import type { ParsedExposition, ParseOptions } from '../../src/metrics/exposition/parsed.ts';
import { textParser } from '../../src/metrics/exposition/text-parser.ts';
import { SeriesTable } from '../../src/metrics/series-table.ts';

/** Parses a whole exposition, in chunks of so many bytes. */
export function parseAll(
  format: 'text' | 'openmetrics',
  input: string | Buffer,
  options: Partial<ParseOptions> & { chunk?: number } = {},
): ParsedExposition {
  const { chunk = 65_536, ...rest } = options;
  const parser = (format === 'text' ? textParser : openMetricsParser)({
    table: new SeriesTable(),
    invalidLines: 'drop',
    maxLineLength: 65_536,
    maxSamples: 1_000_000,
    ...rest,
  });
  const bytes = Buffer.from(input);
  for (let at = 0; at < bytes.length; at += chunk) parser.write(bytes.subarray(at, at + chunk));
  return parser.end();
}
