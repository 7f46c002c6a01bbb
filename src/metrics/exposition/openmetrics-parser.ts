import type { Exemplar, MetricFamily, MetricType, Sample } from '../family.ts';
import { labelHash } from '../label-hash.ts';
import { ScrapedSample } from '../scraped-sample.ts';
import { labelValue } from '../series.ts';
import { tooManySamples } from '../scrape-refused.ts';
import type { KnownSeries, SeriesTable } from '../series-table.ts';
import { unescapeLabelValue } from './escape.ts';
import { ExpositionFault, LineFault, shown } from './fault.ts';
import { FaultLog } from './fault-log.ts';
import { HistogramCheck } from './histogram-check.ts';
import { LineSplitter, type LineReader } from './line-splitter.ts';
import { toNumber } from './number.ts';
import { isLegacyMetricName } from './names.ts';
import { readSampleLine } from './openmetrics-sample.ts';
import { isOpenMetricsType, sampleSuffixes, type OpenMetricsType } from './openmetrics-types.ts';
import { openMetricsNotation, parseSeries, readQuoted } from './parse-series.ts';
import type { ExpositionParser, ParsedExposition, ParseOptions } from './parsed.ts';

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
export class OpenMetricsParser implements ExpositionParser, LineReader {
  readonly #splitter: LineSplitter;
  readonly #table: SeriesTable;
  readonly #maxSamples: number;
  readonly #faults: FaultLog;
  readonly #families: Family[] = [];
  /** Names of samples of the families that ended. */
  readonly #taken = new Set<string>();
  #family: Family | undefined;
  #ended = false;
  #line = 0;
  #scraped = 0;
  #admitted = 0;

  constructor({ table, invalidLines, maxLineLength, maxSamples }: ParseOptions) {
    this.#splitter = new LineSplitter(this, maxLineLength);
    this.#table = table;
    this.#maxSamples = maxSamples;
    this.#faults = new FaultLog(invalidLines);
    table.begin(openMetricsNotation);
  }

  write(chunk: Buffer): void {
    this.#splitter.write(chunk);
  }

  end(): ParsedExposition {
    this.#splitter.end();
    if (!this.#ended)
      throw new ExpositionFault(Math.max(1, this.#line), 'is the last line and not `# EOF`: the page was cut off');
    return {
      families: this.#families,
      samplesScraped: this.#scraped,
      samplesAdmitted: this.#admitted,
      faults: this.#faults.count,
      firstFault: this.#faults.first,
    };
  }

  unreadable(reason: string): void {
    this.#faults.add(++this.#line, reason);
  }

  line(text: string, start: number, end: number): void {
    this.#line++;
    try {
      if (this.#ended) throw new LineFault('stands after `# EOF`');
      if (start === end) throw new LineFault('is empty');
      if (text[start] !== '#') this.#sample(text, start, end);
      else if (text.slice(start, end) === '# EOF') this.#eof();
      else this.#metadata(text.slice(start, end));
    } catch (error) {
      this.#faults.caught(this.#line, error);
    }
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
    this.#scraped++;
    if (again) return;
    if (family.type === 'histogram' || family.type === 'gaugehistogram')
      this.#checkHistogram(family, suffix, known, value, timestamp);
    const admitted = known.admitted;
    if (admitted === undefined) return;
    if (++this.#admitted > this.#maxSamples) throw tooManySamples(this.#maxSamples);
    family.samples.push(new ScrapedSample(admitted, value, timestamp, exemplar));
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
      this.#faults.caught(this.#line, error);
    }
  }

  #open(name: string): void {
    this.#family = {
      name,
      type: 'unknown',
      help: undefined,
      unit: undefined,
      samples: [] as Sample[],
      line: this.#line,
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
      this.#faults.caught(this.#line, error);
    }
    for (const name of new Set([family.name, ...family.sampleNames])) {
      if (this.#taken.has(name))
        this.#faults.add(family.line, `begins ${shown(family.name)} anew, or shares ${shown(name)} with another`);
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

function checkUnit(name: string, type: MetricType, unit: string | undefined): void {
  if (unit === undefined || unit === '') return;
  if (!name.endsWith(`_${unit}`))
    throw new LineFault(`has the unit ${shown(unit)}, with which ${shown(name)} does not end`);
  if (type === 'info' || type === 'stateset') throw new LineFault(`has a unit for a metric of type ${type}`);
}

function namesOf(name: string, type: OpenMetricsType): ReadonlySet<string> {
  return new Set(sampleSuffixes[type].map((suffix) => name + suffix));
}

function checkSample(family: Family, suffix: string, value: string, exemplar: Exemplar | undefined): void {
  switch (family.type) {
    case 'counter':
      checkCount(suffix, value);
      break;
    case 'histogram':
    case 'gaugehistogram':
      checkCount(suffix, value);
      break;
    case 'summary':
      if (suffix !== '') checkCount(suffix, value);
      else if (toNumber(value) < 0) throw new LineFault('is a quantile and negative');
      break;
    case 'stateset':
      if (value !== '0' && toNumber(value) !== 0 && toNumber(value) !== 1)
        throw new LineFault('is a state that is neither 0 nor 1');
      break;
    case 'info':
      if (toNumber(value) !== 1) throw new LineFault('is an info that is not 1');
      break;
  }
  if (exemplar === undefined) return;
  const mayHaveOne =
    (family.type === 'counter' && suffix === '_total') ||
    ((family.type === 'histogram' || family.type === 'gaugehistogram') && suffix === '_bucket');
  if (!mayHaveOne) throw new LineFault('has an exemplar, which only buckets and counters may have');
}

/** Counts and sums of counts are numbers of at least 0; only the sum of a gauge histogram may be less. */
function checkCount(suffix: string, value: string): void {
  if (suffix === '_created') return;
  const number = toNumber(value);
  if (Number.isNaN(number)) throw new LineFault('is a count or a sum and NaN');
  if (number < 0 && suffix !== '_gsum') throw new LineFault('is a count or a sum and negative');
}

/** Works out what of a series depends on the type of its family, once. */
function learn(known: KnownSeries, { type, name }: Family, suffix: string): void {
  const { labels } = parseSeries(known.text, openMetricsNotation);
  if (suffix === '_bucket') known.bound = readBound(labelValue(labels, 'le'));
  if (type === 'summary' && suffix === '') known.bound = readQuantile(labelValue(labels, 'quantile'));
  if (type === 'stateset' && labelValue(labels, name) === undefined) throw new LineFault(`has no label ${name}`);
  known.group = groupOf(type, name, suffix, labels);
  known.type = type;
}

function readBound(bound: string | undefined): number {
  if (bound === undefined) throw new LineFault('is a bucket without le');
  const number = toNumber(bound);
  if (Number.isNaN(number)) throw new LineFault(`has ${shown(bound)} as le`);
  if (number === Infinity && bound !== '+Inf') throw new LineFault(`has ${shown(bound)} as le; write +Inf`);
  return number;
}

function readQuantile(quantile: string | undefined): number {
  const number = toNumber(quantile ?? '-');
  if (number >= 0 && number <= 1) return number;
  throw new LineFault('is a quantile whose label quantile is not from 0 to 1');
}

/** The labels that samples of one metric share: those without what tells its parts from each other. */
function groupOf(type: MetricType, name: string, suffix: string, labels: readonly string[]): number {
  switch (type) {
    case 'info':
      return 0;
    case 'stateset':
      return labelHash('', labels, (label) => label === name);
    case 'summary':
      return labelHash('', labels, (label) => suffix === '' && label === 'quantile');
    case 'histogram':
    case 'gaugehistogram':
      return labelHash('', labels, (label) => suffix === '_bucket' && label === 'le');
    default:
      return labelHash('', labels, () => false);
  }
}
