import type { Exemplar } from '../family.ts';
import { LineFault, shown } from './fault.ts';
import { isReal } from './number.ts';
import { endOfBraces, endOfSeries, openMetricsNotation, parseLabels } from './parse-series.ts';

/** Characters of all labels of an exemplar together (OpenMetrics 1.0, "Exemplars"). */
const longestExemplar = 128;

/** A sample line of OpenMetrics, its series not yet read. */
export interface SampleLine {
  readonly series: string;
  readonly value: string;
  readonly timestamp: string | undefined;
  readonly exemplar: Exemplar | undefined;
}

/**
 * `series value[ timestamp][ # {labels} value[ timestamp]]`, with exactly one space between.
 * @throws LineFault
 */
export function readSampleLine(text: string, start: number, end: number): SampleLine {
  const seriesEnd = endOfSeries(text, start, end, openMetricsNotation);
  if (seriesEnd < 0) throw new LineFault('has a brace or a quotation mark that is not closed');
  if (text[seriesEnd] !== ' ' || seriesEnd >= end) throw new LineFault('has no space and value after its series');
  const series = text.slice(start, seriesEnd);
  const valueEnd = endOfToken(text, seriesEnd + 1, end);
  const value = readReal(text.slice(seriesEnd + 1, valueEnd), 'value');
  let at = valueEnd;
  let timestamp: string | undefined;
  if (at < end && text[at + 1] !== '#') {
    const timestampEnd = endOfToken(text, at + 1, end);
    timestamp = readTimestamp(text.slice(at + 1, timestampEnd));
    at = timestampEnd;
  }
  const exemplar = at < end ? readExemplar(text, at, end) : undefined;
  return { series, value, timestamp, exemplar };
}

function readExemplar(text: string, start: number, end: number): Exemplar {
  if (!text.startsWith(' # {', start))
    throw new LineFault(`has ${shown(text.slice(start, end))} where an exemplar was expected`);
  const open = start + 3;
  const close = endOfBraces(text, open, end);
  if (close < 0) throw new LineFault('has an exemplar whose brace is not closed');
  const { labels, quotedName } = parseLabels(text.slice(open, close), 0, openMetricsNotation);
  if (quotedName !== undefined) throw new LineFault('has an exemplar with a metric name');
  let length = 0;
  for (const part of labels) length += [...part].length;
  if (length > longestExemplar)
    throw new LineFault(`has an exemplar whose labels are longer than ${longestExemplar} characters`);
  if (text[close] !== ' ' || close >= end) throw new LineFault('has an exemplar without a value');
  const valueEnd = endOfToken(text, close + 1, end);
  const value = readReal(text.slice(close + 1, valueEnd), 'value of the exemplar');
  const timestamp = valueEnd < end ? readTimestamp(text.slice(valueEnd + 1, end)) : undefined;
  return { labels, value, timestamp };
}

function readReal(token: string, what: string): string {
  if (!isReal(token)) throw new LineFault(token === '' ? `has no ${what}` : `${shown(token)} is not a number`);
  return token;
}

function readTimestamp(token: string): string {
  // Neither NaN nor an infinity.
  if (!isReal(token) || /[ni]/i.test(token)) throw new LineFault(`${shown(token)} is not a time stamp in seconds`);
  return token;
}

function endOfToken(text: string, start: number, end: number): number {
  const space = text.indexOf(' ', start);
  return space < 0 || space > end ? end : space;
}
