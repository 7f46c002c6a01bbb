import { addLabels, type LabelClash } from './label-clash.ts';
import { isLegacyMetricName } from './exposition/names.ts';
import type { Relabel } from './relabel/relabel.ts';
import { ScrapeRefused } from './scrape-refused.ts';
import { labelValue, Series } from './series.ts';
import type { Admit } from './series-table.ts';

export interface LabelLimits {
  /** Labels of a sample, its name not among them. */
  readonly labels: number;
  /** UTF-16 units. */
  readonly labelNameLength: number;
  readonly labelValueLength: number;
}

export interface AdmitOptions {
  readonly added: ReadonlyMap<string, string>;
  readonly clash: LabelClash;
  readonly relabel: Relabel | undefined;
  readonly limits: LabelLimits;
}

/**
 * What becomes of a series: labels are added, then the rules run, then the limits are looked at. A limit that is exceeded ends
 * the scrape, as in Prometheus: half of an app's series would look like the whole.
 */
export function admitWith({ added, clash, relabel, limits }: AdmitOptions): Admit {
  return (raw) => {
    const series = added.size === 0 && relabel === undefined ? raw : changed(raw);
    if (series !== undefined) check(series, limits);
    return series;
  };

  function changed(raw: Series): Series | undefined {
    const labels = new Map<string, string>([['__name__', raw.name]]);
    for (let at = 0; at < raw.labels.length; at += 2) labels.set(raw.labels[at]!, raw.labels[at + 1]!);
    addLabels(labels, added, clash);
    if (relabel !== undefined && !relabel(labels)) return undefined;
    const name = labels.get('__name__') ?? '';
    // A rule made it a name that no metric has: nobody could read it.
    if (name === '' || (name !== raw.name && !isLegacyMetricName(name))) return undefined;
    const flat: string[] = [];
    // By callback: a pair made for each label would be a tenth of the garbage that a page of new series leaves behind.
    labels.forEach((value, label) => {
      // Names with two underscores are for the rules among themselves, unless the app wrote them.
      if (!label.startsWith('__') || labelValue(raw.labels, label) !== undefined) flat.push(label, value);
    });
    return new Series(name, flat);
  }
}

function check(series: Series, { labels, labelNameLength, labelValueLength }: LabelLimits): void {
  const count = series.labels.length / 2;
  if (count > labels) throw new ScrapeRefused('label_limit', `${series.name} has ${count} labels, more than ${labels}`);
  for (let at = 0; at < series.labels.length; at++) {
    const text = series.labels[at]!;
    const most = at % 2 === 0 ? labelNameLength : labelValueLength;
    if (text.length <= most) continue;
    const what = at % 2 === 0 ? 'a label name' : `a value of label ${series.labels[at - 1]!}`;
    throw new ScrapeRefused(
      'label_limit',
      `${series.name} has ${what} of ${text.length} characters, more than ${most}`,
    );
  }
}
