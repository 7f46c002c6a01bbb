import { escapeLabelValue } from './exposition/escape.ts';
import { isLegacyLabelName, isLegacyMetricName } from './exposition/names.ts';
import { parseSeries, textNotation } from './exposition/parse-series.ts';
import { labelHash } from './label-hash.ts';

/**
 * A name with labels, which the samples of many scrapes share, and what was worked out about it: how it is written, and what
 * tells it from others. Worked out when first asked for. There are as many as an app has series, so that bytes count.
 */
export class Series {
  readonly name: string;
  #labels: readonly string[] | undefined;
  /** The text, in two parts where that lets series share one. */
  #head: string | undefined;
  #tail = '';
  #hash: number | undefined;
  #groupHash: number | undefined;
  #legacy: boolean | undefined;

  /** @param labels name, value, name, value …, unescaped */
  constructor(name: string, labels: readonly string[]) {
    this.name = name;
    this.#labels = labels;
  }

  /** Name, value, name, value …, unescaped. A compacted series makes them anew at each call. */
  get labels(): readonly string[] {
    return this.#labels ?? parseSeries(this.text, textNotation).labels;
  }

  /** As both text formats write it: `name{a="b"}`; `{"my.name","my.label"="b"}` where a name is not a legacy one. */
  get text(): string {
    this.#head ??= flat(seriesText(this.name, this.labels));
    return this.#tail === '' ? this.#head : this.#head + this.#tail;
  }

  /** Equal for equal series, whatever the order of their labels; seldom equal for others. */
  get hash(): number {
    return (this.#hash ??= labelHash(this.name, this.labels, none));
  }

  /** The same for all samples of one histogram or summary. */
  get groupHash(): number {
    return (this.#groupHash ??= labelHash('', this.labels, tellsApart));
  }

  /** Whether all names are such as every reader knows. */
  get legacy(): boolean {
    return (this.#legacy ??=
      isLegacyMetricName(this.name) && this.labels.every((text, at) => at % 2 === 1 || isLegacyLabelName(text)));
  }

  /**
   * For a series that is kept: forgets what can be made from the text, and keeps of the text only what `written` has not.
   * @param written a text that is kept as well, of which this one is perhaps a continuation
   * @param share answers one and the same string for equal ones
   */
  compact(written: string, share: (text: string) => string): void {
    const text = seriesText(this.name, this.labels);
    void this.hash;
    void this.legacy;
    const open = written.slice(0, -1);
    if (text === written) {
      this.#head = written;
    } else if (written.endsWith('}') && text.startsWith(open)) {
      this.#head = open;
      this.#tail = share(text.slice(open.length));
    } else {
      this.#head = flat(text);
    }
    this.#labels = undefined;
  }

  /** A label that is empty is none. */
  equals(other: Series): boolean {
    if (this.name !== other.name) return false;
    const mine = namedLabels(this.labels);
    const theirs = namedLabels(other.labels);
    return mine.size === theirs.size && [...mine].every(([label, value]) => theirs.get(label) === value);
  }
}

/** Undefined when there is no such label. */
export function labelValue(labels: readonly string[], name: string): string | undefined {
  for (let at = 0; at < labels.length; at += 2) if (labels[at] === name) return labels[at + 1];
  return undefined;
}

/** What stands between the braces. */
export function labelsText(labels: readonly string[]): string {
  let text = '';
  for (let at = 0; at < labels.length; at += 2) {
    const name = labels[at]!;
    text += `${at === 0 ? '' : ','}${isLegacyLabelName(name) ? name : quotedName(name)}="${escapeLabelValue(labels[at + 1]!)}"`;
  }
  return text;
}

export function quotedName(name: string): string {
  return `"${escapeLabelValue(name)}"`;
}

/** Where most texts are copied through, so that a page of new series makes no buffer for each; a text unit is 3 bytes at most. */
const scratch = Buffer.allocUnsafeSlow(3 * 1024);

/** A copy that keeps no longer text alive: V8 makes a part of a string a view on the whole. */
export function flat(text: string): string {
  const bytes = text.length * 3 <= scratch.length ? scratch : Buffer.allocUnsafe(text.length * 3);
  const length = bytes.write(text, 'utf8');
  return bytes.toString(length === text.length ? 'latin1' : 'utf8', 0, length);
}

/** As both text formats write it. */
export function seriesText(name: string, labels: readonly string[]): string {
  const inside = labelsText(labels);
  if (isLegacyMetricName(name)) return inside === '' ? name : `${name}{${inside}}`;
  return `{${quotedName(name)}${inside === '' ? '' : `,${inside}`}}`;
}

function namedLabels(labels: readonly string[]): Map<string, string> {
  const named = new Map<string, string>();
  for (let at = 0; at < labels.length; at += 2) if (labels[at + 1] !== '') named.set(labels[at]!, labels[at + 1]!);
  return named;
}

function none(): boolean {
  return false;
}

function tellsApart(label: string): boolean {
  return label === 'le' || label === 'quantile';
}
