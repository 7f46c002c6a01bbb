import type { MetricFamily } from '../family.ts';
import type { SeriesTable } from '../series-table.ts';
import type { ExpositionFault } from './fault.ts';

/** What both parsers are given. */
export interface ParseOptions {
  readonly table: SeriesTable;
  /** `drop` leaves out a line that is wrong, `refuse` ends with it. */
  readonly invalidLines: 'drop' | 'refuse';
  /** Longest line in bytes; a longer one is wrong. */
  readonly maxLineLength: number;
  /** Samples that are admitted; one more ends the reading. */
  readonly maxSamples: number;
}

export interface ParsedExposition {
  /** In the order of the text. Some may have no samples. */
  readonly families: MetricFamily[];
  /** Samples that the text has, with those that were not admitted. */
  readonly samplesScraped: number;
  /** Samples in `families`. */
  readonly samplesAdmitted: number;
  /** Lines that were left out, and what the whole of a family says wrongly. */
  readonly faults: number;
  /** The first of them. */
  readonly firstFault: ExpositionFault | undefined;
}

/** Reads one exposition as its bytes come. Both methods throw ExpositionFault or ScrapeRefused when it cannot be taken as a whole. */
export interface ExpositionParser {
  write(chunk: Buffer): void;
  end(): ParsedExposition;
}
