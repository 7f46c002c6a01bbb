import type { MetricFamily, MetricType, Sample } from '../family.ts';
import type { SeriesTable } from '../series-table.ts';
import { unescapeHelp } from './escape.ts';
import { LineFault, shown } from './fault.ts';
import { LineParser, type Grammar, type GrammarParts } from './line-parser.ts';
import { isTimestamp, isReal, millisecondsToSeconds } from './number.ts';
import { isLegacyMetricName } from './names.ts';
import { endOfSeries, isBlank, readQuoted, skipBlanks, textNotation } from './parse-series.ts';
import type { ExpositionParser, ParseOptions } from './parsed.ts';
import type { SampleTally } from './sample-tally.ts';

const types: readonly MetricType[] = ['counter', 'gauge', 'histogram', 'summary', 'untyped'];

interface Family extends MetricFamily {
  type: MetricType;
  help: string | undefined;
  typed: boolean;
  /** Samples read, with those that were not admitted. */
  read: number;
}

/**
 * The Prometheus text format, 0.0.4 and 1.0.0 (with quoted UTF-8 names). As tolerant as Prometheus: blanks and tabs between
 * tokens, comments, empty lines, CRLF, no line feed at the end, families that come in several parts.
 */
export function textParser(options: ParseOptions): ExpositionParser {
  return new LineParser(options, textNotation, (parts) => new TextGrammar(parts));
}

class TextGrammar implements Grammar {
  readonly #table: SeriesTable;
  readonly #tally: SampleTally;
  readonly #families = new Map<string, Family>();
  /** The family of the sample before: most samples follow one of the same name. */
  #lastName: string | undefined;
  #lastFamily: Family | undefined;

  constructor({ table, tally }: GrammarParts) {
    this.#table = table;
    this.#tally = tally;
  }

  end(): MetricFamily[] {
    return [...this.#families.values()];
  }

  line(text: string, start: number, lineEnd: number): void {
    const end = lineEnd > start && text.charCodeAt(lineEnd - 1) === 0x0d ? lineEnd - 1 : lineEnd;
    const from = skipBlanks(text, start, end);
    if (from === end) return;
    if (text[from] === '#') this.#comment(text.slice(from, end));
    else this.#sample(text, from, end);
  }

  #sample(text: string, start: number, end: number): void {
    const seriesEnd = endOfSeries(text, start, end, textNotation);
    if (seriesEnd < 0) throw new LineFault('has a brace or a quotation mark that is not closed');
    const valueStart = skipBlanks(text, seriesEnd, end);
    const valueEnd = endOfToken(text, valueStart, end);
    const value = text.slice(valueStart, valueEnd);
    if (!isReal(value)) throw new LineFault(value === '' ? 'has no value' : `${shown(value)} is not a number`);
    const timestamp = readTimestamp(text, valueEnd, end);
    const known = this.#table.get(text.slice(start, seriesEnd));
    const family = this.#familyOf(known.name);
    family.read++;
    this.#tally.take(known, family.samples, value, timestamp);
  }

  #comment(line: string): void {
    const match = /^#[ \t]*(HELP|TYPE)(?:[ \t]+|$)/.exec(line);
    // Any other comment means nothing.
    if (match === null) return;
    const keyword = match[1]!;
    const at = match[0].length;
    if (at >= line.length) throw new LineFault(`${keyword} has no metric name`);
    const [name, after] = readName(line, at);
    const rest = skipBlanks(line, after, line.length);
    if (keyword === 'HELP') this.#help(name, unescapeHelp(line.slice(rest)));
    else this.#type(name, line.slice(rest).trimEnd());
  }

  #help(name: string, help: string): void {
    const family = this.#familyNamed(name);
    if (family.help !== undefined) throw new LineFault(`has a second HELP for ${shown(name)}`);
    family.help = help;
  }

  #type(name: string, type: string): void {
    if (!types.includes(type as MetricType)) throw new LineFault(`${shown(type)} is not a type of metric`);
    const family = this.#familyNamed(name);
    if (family.typed) throw new LineFault(`has a second TYPE for ${shown(name)}`);
    if (family.read > 0) throw new LineFault(`has the TYPE of ${shown(name)} after its samples`);
    family.typed = true;
    family.type = type as MetricType;
    this.#lastName = undefined;
  }

  #familyOf(sampleName: string): Family {
    if (sampleName === this.#lastName) return this.#lastFamily!;
    const family = this.#families.get(sampleName) ?? this.#parent(sampleName) ?? this.#familyNamed(sampleName);
    this.#lastName = sampleName;
    this.#lastFamily = family;
    return family;
  }

  /** The histogram or summary whose part a name with a suffix is. */
  #parent(sampleName: string): Family | undefined {
    const suffix = /_(?:bucket|sum|count)$/.exec(sampleName)?.[0];
    if (suffix === undefined) return undefined;
    const family = this.#families.get(sampleName.slice(0, -suffix.length));
    if (family?.type === 'histogram' || (family?.type === 'summary' && suffix !== '_bucket')) return family;
    return undefined;
  }

  #familyNamed(name: string): Family {
    let family = this.#families.get(name);
    if (family === undefined) {
      family = {
        name,
        type: 'untyped',
        help: undefined,
        unit: undefined,
        samples: [] as Sample[],
        typed: false,
        read: 0,
      };
      this.#families.set(name, family);
    }
    return family;
  }
}

function readName(line: string, at: number): [name: string, after: number] {
  if (line[at] === '"') return readQuoted(line, at, line.length);
  const after = endOfToken(line, at, line.length);
  const name = line.slice(at, after);
  if (!isLegacyMetricName(name)) throw new LineFault(`${shown(name)} is not a metric name`);
  return [name, after];
}

function readTimestamp(text: string, valueEnd: number, end: number): string | undefined {
  const start = skipBlanks(text, valueEnd, end);
  if (start === end) return undefined;
  const tokenEnd = endOfToken(text, start, end);
  const timestamp = text.slice(start, tokenEnd);
  // A sign as well is an integer of 64 bits, and Prometheus refuses the whole page for it.
  if (!isTimestamp(timestamp)) throw new LineFault(`${shown(timestamp)} is not a time stamp in milliseconds`);
  if (skipBlanks(text, tokenEnd, end) < end)
    throw new LineFault(`has ${shown(text.slice(tokenEnd, end))} after its time stamp`);
  return millisecondsToSeconds(timestamp);
}

function endOfToken(text: string, start: number, end: number): number {
  let at = start;
  while (at < end && !isBlank(text.charCodeAt(at))) at++;
  return at;
}
