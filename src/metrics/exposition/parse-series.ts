import { unescapeLabelValue } from './escape.ts';
import { LineFault, shown } from './fault.ts';
import { isLabelCharacter, isLegacyLabelName, isLegacyMetricName } from './names.ts';

export interface ParsedSeries {
  readonly name: string;
  readonly labels: readonly string[];
}

/** What of the notation is allowed: the text format has blanks between tokens and a comma after the last label, OpenMetrics neither. */
export interface Notation {
  readonly loose: boolean;
}

export const textNotation: Notation = { loose: true };
export const openMetricsNotation: Notation = { loose: false };

const quote = 0x22;
const backslash = 0x5c;
const brace = 0x7b;
const closingBrace = 0x7d;

/**
 * Where the series of a sample ends, which begins at `start`: after its brace, or at the first blank. What is between is not
 * checked. -1 when a brace or quotation mark is not closed.
 */
export function endOfSeries(text: string, start: number, end: number, { loose }: Notation): number {
  let at = start;
  while (at < end && !isBlank(text.charCodeAt(at)) && text.charCodeAt(at) !== brace) at++;
  const nameEnd = at;
  if (loose) at = skipBlanks(text, at, end);
  if (at >= end || text.charCodeAt(at) !== brace) return nameEnd;
  return endOfBraces(text, at, end);
}

/** After the brace that closes the one at `start`, or -1. */
export function endOfBraces(text: string, start: number, end: number): number {
  let inQuotes = false;
  for (let at = start + 1; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) inQuotes = !inQuotes;
    else if (code === backslash && inQuotes) at++;
    else if (code === closingBrace && !inQuotes) return at + 1;
  }
  return -1;
}

/**
 * `name`, `name{a="b"}` or `{"my.name","my.label"="b"}`.
 * @throws LineFault
 */
export function parseSeries(text: string, notation: Notation): ParsedSeries {
  const open = text.indexOf('{');
  let name = open < 0 ? text : text.slice(0, open);
  if (notation.loose) name = name.trimEnd();
  // A name in front of the braces may not be quoted.
  if (name !== '' && !isLegacyMetricName(name)) throw new LineFault(`${shown(name)} is not a metric name`);
  if (open < 0) {
    if (name === '') throw new LineFault('has no metric name');
    return { name, labels: [] };
  }
  const { quotedName, labels } = parseLabels(text, open, notation);
  if (quotedName !== undefined && name !== '') throw new LineFault('has two metric names');
  name = quotedName ?? name;
  if (name === '') throw new LineFault('has no metric name');
  return { name, labels };
}

/**
 * The labels in the braces at `open`, which must end the text; the first item may be a quoted metric name.
 * @throws LineFault
 */
export function parseLabels(
  text: string,
  open: number,
  { loose }: Notation,
): { quotedName: string | undefined; labels: string[] } {
  const end = text.length - 1;
  if (text.charCodeAt(end) !== closingBrace) throw new LineFault('has a brace that is not closed');
  const labels: string[] = [];
  let quotedName: string | undefined;
  let at = open + 1;
  const blanks = () => {
    if (loose) at = skipBlanks(text, at, end);
  };
  blanks();
  while (at < end) {
    const isQuoted = text.charCodeAt(at) === quote;
    const [label, after] = isQuoted ? readQuoted(text, at, end) : readBare(text, at, end);
    at = after;
    blanks();
    if (text[at] === '=') {
      if (isQuoted ? label === '' : !isLegacyLabelName(label))
        throw new LineFault(`${shown(label)} is not a label name`);
      if (label === '__name__') throw new LineFault('has __name__ as a label');
      at++;
      blanks();
      if (text.charCodeAt(at) !== quote) throw new LineFault(`the value of label ${label} is not in quotation marks`);
      const [value, afterValue] = readQuoted(text, at, end);
      at = afterValue;
      if (hasLabel(labels, label)) throw new LineFault(`has label ${label} twice`);
      labels.push(label, value);
    } else if (isQuoted && quotedName === undefined && labels.length === 0) {
      if (label === '') throw new LineFault('has an empty metric name');
      quotedName = label;
    } else {
      throw new LineFault(`label ${shown(label)} has no =`);
    }
    blanks();
    if (at >= end) break;
    if (text[at] !== ',') throw new LineFault(`has ${shown(text.slice(at, at + 10))} where a comma was expected`);
    at++;
    blanks();
    if (at >= end && !loose) throw new LineFault('has a comma after the last label');
  }
  return { quotedName, labels };
}

export function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

export function skipBlanks(text: string, start: number, end: number): number {
  let at = start;
  while (at < end && isBlank(text.charCodeAt(at))) at++;
  return at;
}

/** The unescaped text between the quotation marks at `start`, and where they end. */
export function readQuoted(text: string, start: number, end: number): [value: string, after: number] {
  for (let at = start + 1; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code === backslash) at++;
    else if (code === quote) return [unescapeLabelValue(text.slice(start + 1, at)), at + 1];
  }
  throw new LineFault('has a quotation mark that is not closed');
}

function readBare(text: string, start: number, end: number): [label: string, after: number] {
  let at = start;
  while (at < end && isLabelCharacter(text.charCodeAt(at))) at++;
  if (at === start) throw new LineFault(`has ${shown(text.slice(at, at + 10))} where a label name was expected`);
  return [text.slice(start, at), at];
}

function hasLabel(labels: readonly string[], name: string): boolean {
  for (let at = 0; at < labels.length; at += 2) if (labels[at] === name) return true;
  return false;
}
