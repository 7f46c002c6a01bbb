import type { MetricFamily } from '../family.ts';
import type { SeriesTable } from '../series-table.ts';
import { FaultLog } from './fault-log.ts';
import { LineSplitter, type LineReader } from './line-splitter.ts';
import type { Notation } from './parse-series.ts';
import type { ExpositionParser, ParsedExposition, ParseOptions } from './parsed.ts';
import { SampleTally } from './sample-tally.ts';

/** What a grammar is given for each exposition. */
export interface GrammarParts {
  readonly table: SeriesTable;
  readonly tally: SampleTally;
  /** For what is wrong and leaves its line in place; knows which line is read. */
  readonly faults: FaultLog;
}

/** What lines mean, in one of the formats that are made of lines. */
export interface Grammar {
  /**
   * One line: `text` from `start` until `end`, without its line feed.
   * @throws LineFault when it is left out
   */
  line(text: string, start: number, end: number): void;
  /**
   * The families, when no more lines come.
   * @throws ExpositionFault when the exposition cannot be taken as a whole
   */
  end(): MetricFamily[];
}

/** Reads an exposition line by line: cuts it, numbers the lines, and counts what a grammar finds in them. */
export class LineParser implements ExpositionParser, LineReader {
  readonly #splitter: LineSplitter;
  readonly #tally: SampleTally;
  readonly #faults: FaultLog;
  readonly #grammar: Grammar;

  /** @param notation how series are written in this format */
  constructor(
    { table, invalidLines, maxLineLength, maxSamples }: ParseOptions,
    notation: Notation,
    grammar: (parts: GrammarParts) => Grammar,
  ) {
    this.#splitter = new LineSplitter(this, maxLineLength);
    this.#tally = new SampleTally(maxSamples);
    this.#faults = new FaultLog(invalidLines);
    this.#grammar = grammar({ table, tally: this.#tally, faults: this.#faults });
    table.begin(notation);
  }

  write(chunk: Buffer): void {
    this.#splitter.write(chunk);
  }

  end(): ParsedExposition {
    this.#splitter.end();
    return this.#tally.parsed(this.#grammar.end(), this.#faults);
  }

  unreadable(reason: string): void {
    this.#faults.nextLine();
    this.#faults.add(reason);
  }

  line(text: string, start: number, end: number): void {
    this.#faults.nextLine();
    try {
      this.#grammar.line(text, start, end);
    } catch (error) {
      this.#faults.caught(error);
    }
  }
}
