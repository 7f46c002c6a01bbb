import type { MetricFamily, MetricType, Sample } from '../family.ts';
import type { KnownSeries, SeriesTable } from '../series-table.ts';
import { unescapeLabelValue } from './escape.ts';
import { ExpositionFault, LineFault, shown } from './fault.ts';
import type { FaultLog } from './fault-log.ts';
import { checkSample, checkUnit, learn } from './openmetrics-checks.ts';
import { HistogramCheck } from './histogram-check.ts';
import { LineParser, type Grammar, type GrammarParts } from './line-parser.ts';
import { toNumber } from './number.ts';
import { isLegacyMetricName } from './names.ts';
import { readSampleLine } from './openmetrics-sample.ts';
import { isOpenMetricsType, sampleSuffixes, type OpenMetricsType } from './openmetrics-types.ts';
import { openMetricsNotation, readQuoted } from './parse-series.ts';
import type { ExpositionParser, ParseOptions } from './parsed.ts';
import type { SampleTally } from './sample-tally.ts';

interface Family extends MetricFamily {
  type: MetricType;
  help: string | undefined;
  unit: string | undefined;
  /** The line it began with. */
  readonly line: number;
  declared: OpenMetricsType | undefined;
  sampleNames: ReadonlySet<string>;
  readonly histogram: HistogramCheck;
  /** Samples read, with those that were not admitted. */
  read: number;
  group: number | undefined;
  groupTimestamp: string | undefined;
  /** Groups that were left; their samples may not come again. */
  readonly groups: Set<number>;
  /** Series at the time stamp of now: one that comes twice was cut off to the same time, and counts once. */
  readonly atTimestamp: Set<KnownSeries>;
}

/**
 * OpenMetrics 1.0 text, as strict as its specification: metadata before samples, families and groups in one piece, no blanks
 * more or less, `# EOF` at the end. A page without its end is refused in any case: it was cut off.
 */
export function openMetricsParser(options: ParseOptions): ExpositionParser {
  return new LineParser(options, openMetricsNotation, (parts) => new OpenMetricsGrammar(parts));
}

class OpenMetricsGrammar implements Grammar {
  readonly #table: SeriesTable;
  readonly #tally: SampleTally;
  readonly #faults: FaultLog;
  readonly #families: Family[] = [];
  /** Names of samples of the families that ended. */
  readonly #taken = new Set<string>();
  #family: Family | undefined;
  #ended = false;

  constructor({ table, tally, faults }: GrammarParts) {
    this.#table = table;
    this.#tally = tally;
    this.#faults = faults;
  }

  end(): MetricFamily[] {
    if (this.#ended) return this.#families;
    throw new ExpositionFault(Math.max(1, this.#faults.line), 'is the last line and not `# EOF`: the page was cut off');
  }

  line(text: string, start: number, end: number): void {
    if (this.#ended) throw new LineFault('stands after `# EOF`');
    if (start === end) throw new LineFault('is empty');
    if (text[start] !== '#') this.#sample(text, start, end);
    else if (text.slice(start, end) === '# EOF') this.#eof();
    else this.#metadata(text.slice(start, end));
  }

  #eof(): void {
    this.#ended = true;
    this.#close();
  }

  #metadata(line: string): void {
    const match = /^# (HELP|TYPE|UNIT) (?=.)/.exec(line);
    if (match === null) throw new LineFault(`${shown(line)} is neither HELP, TYPE, UNIT nor EOF`);
    const keyword = match[1] as 'HELP' | 'TYPE' | 'UNIT';
    const [name, after] = readName(line, match[0].length);
    if (line[after] !== ' ') throw new LineFault(`${keyword} of ${shown(name)} says nothing`);
    const rest = line.slice(after + 1);
    if (this.#family?.name !== name) {
      this.#close();
      this.#open(name);
    } else if (this.#family.read > 0) {
      throw new LineFault(`has the ${keyword} of ${shown(name)} after its samples`);
    }
    const family = this.#family!;
    if (keyword === 'HELP') {
      if (family.help !== undefined) throw new LineFault(`has a second HELP for ${shown(name)}`);
      family.help = unescapeLabelValue(rest);
    } else if (keyword === 'TYPE') {
      if (family.declared !== undefined) throw new LineFault(`has a second TYPE for ${shown(name)}`);
      if (!isOpenMetricsType(rest)) throw new LineFault(`${shown(rest)} is not a type of metric`);
      checkUnit(name, rest, family.unit);
      family.declared = family.type = rest;
      family.sampleNames = namesOf(name, rest);
    } else {
      if (family.unit !== undefined) throw new LineFault(`has a second UNIT for ${shown(name)}`);
      checkUnit(name, family.type, rest);
      family.unit = rest;
    }
  }

  #sample(text: string, start: number, end: number): void {
    const { series, value, timestamp, exemplar } = readSampleLine(text, start, end);
    const known = this.#table.get(series);
    if (this.#family?.sampleNames.has(known.name) !== true) {
      this.#close();
      this.#open(known.name);
    }
    const family = this.#family!;
    const suffix = known.name.slice(family.name.length);
    if (known.type !== family.type) learn(known, family, suffix);
    checkSample(family, suffix, value, exemplar);
    const again = this.#follow(family, known, timestamp);
    family.read++;
    if (again) {
      this.#tally.leaveOut();
      return;
    }
    if (family.type === 'histogram' || family.type === 'gaugehistogram')
      this.#checkHistogram(family, suffix, known, value, timestamp);
    this.#tally.take(known, family.samples, value, timestamp, exemplar);
  }

  /**
   * Goes on from the sample before: groups are in one piece and their time does not go backwards. Says whether the very same
   * series was there at this time already.
   */
  #follow(family: Family, known: KnownSeries, timestamp: string | undefined): boolean {
    const { group } = known;
    if (family.group === group) {
      const before = family.groupTimestamp;
      if ((timestamp === undefined) !== (before === undefined)) {
        throw new LineFault('has a time stamp, or none, unlike the other samples of its group');
      }
      if (timestamp !== before) {
        if (family.type !== 'info' && toNumber(timestamp!) < toNumber(before!)) {
          throw new LineFault('is older than the sample before it');
        }
        family.atTimestamp.clear();
      }
    } else {
      if (family.groups.has(group)) throw new LineFault('comes back to labels that were left');
      family.groups.add(group);
      family.group = group;
      family.atTimestamp.clear();
    }
    family.groupTimestamp = timestamp;
    if (family.atTimestamp.has(known)) return true;
    family.atTimestamp.add(known);
    return false;
  }

  /** What a histogram says as a whole is told, and its samples are kept, where faults are borne. */
  #checkHistogram(
    family: Family,
    suffix: string,
    known: KnownSeries,
    value: string,
    timestamp: string | undefined,
  ): void {
    try {
      family.histogram.sample(known, suffix, value, timestamp);
    } catch (error) {
      this.#faults.caught(error);
    }
  }

  #open(name: string): void {
    this.#family = {
      name,
      type: 'unknown',
      help: undefined,
      unit: undefined,
      samples: [] as Sample[],
      line: this.#faults.line,
      declared: undefined,
      sampleNames: new Set([name]),
      histogram: new HistogramCheck(),
      read: 0,
      group: undefined,
      groupTimestamp: undefined,
      groups: new Set(),
      atTimestamp: new Set(),
    };
  }

  #close(): void {
    const family = this.#family;
    if (family === undefined) return;
    this.#family = undefined;
    this.#families.push(family);
    try {
      family.histogram.end();
    } catch (error) {
      this.#faults.caught(error);
    }
    for (const name of new Set([family.name, ...family.sampleNames])) {
      if (this.#taken.has(name))
        this.#faults.add(`begins ${shown(family.name)} anew, or shares ${shown(name)} with another`, family.line);
      this.#taken.add(name);
    }
  }
}

function readName(line: string, at: number): [name: string, after: number] {
  if (line[at] === '"') return readQuoted(line, at, line.length);
  const space = line.indexOf(' ', at);
  const after = space < 0 ? line.length : space;
  const name = line.slice(at, after);
  if (!isLegacyMetricName(name)) throw new LineFault(`${shown(name)} is not a metric name`);
  return [name, after];
}

function namesOf(name: string, type: OpenMetricsType): ReadonlySet<string> {
  return new Set(sampleSuffixes[type].map((suffix) => name + suffix));
}
