import type { MetricFamily, Sample } from './family.ts';
import { suffixedNames, textName } from './family-names.ts';
import { Series } from './series.ts';

export interface Merged {
  /** Each name once, each series once, in the order in which they came. */
  readonly families: MetricFamily[];
  /** Samples left out because their series was there already. */
  readonly duplicates: number;
  /** Samples left out because their family has another type elsewhere, or their name belongs to another family. */
  readonly conflicts: number;
}

/**
 * Makes one page of several lists. What comes first says the type and the help; a family of the same name and another type is
 * left out, since a page with two `# TYPE` lines for a name is refused as a whole.
 */
export function mergeFamilies(lists: Iterable<readonly MetricFamily[]>): Merged {
  const merged = new Map<string, MetricFamily>();
  /** Names that are part of a histogram or summary; a family of its own under such a name would be taken for that part. */
  const parts = new Map<string, MetricFamily>();
  const seen = new Map<number, Sample>();
  let duplicates = 0;
  let conflicts = 0;
  for (const families of lists) {
    for (const family of families) {
      if (family.samples.length === 0) continue;
      const name = textName(family);
      let into = merged.get(name);
      if (into === undefined && parts.has(name)) {
        conflicts += family.samples.length;
        continue;
      }
      if (into === undefined) {
        into = { ...emptied(family) };
        merged.set(name, into);
        for (const part of partsOf(family)) parts.set(part, into);
      } else if (untypedAlike(into) !== untypedAlike(family)) {
        conflicts += family.samples.length;
        continue;
      } else if (into.help === undefined && family.help !== undefined) {
        into = { ...into, help: family.help };
        merged.set(name, into);
      }
      for (const sample of family.samples) {
        if (isNew(seen, sample)) into.samples.push(sample);
        else duplicates++;
      }
    }
  }
  return { families: [...merged.values()].filter(({ samples }) => samples.length > 0), duplicates, conflicts };
}

/** The series of a sample, made for the occasion where the sample came without. */
export function seriesOf(sample: Sample): Series {
  return sample.series ?? new Series(sample.name, sample.labels);
}

function emptied({ name, type, help, unit }: MetricFamily): MetricFamily {
  return { name, type, help, unit, samples: [] };
}

/** Only of types whose parts readers put together again by their names. */
function partsOf(family: MetricFamily): readonly string[] {
  if (family.type !== 'histogram' && family.type !== 'summary') return [];
  return suffixedNames(family).filter((name) => !name.endsWith('_created'));
}

function untypedAlike({ type }: MetricFamily): string {
  return type === 'untyped' ? 'unknown' : type;
}

/** One series may come several times when each has a time of its own. */
function isNew(seen: Map<number, Sample>, sample: Sample): boolean {
  const series = seriesOf(sample);
  const before = seen.get(series.hash);
  if (before !== undefined && seriesOf(before).equals(series)) {
    if (before.timestamp === undefined || sample.timestamp === undefined || before.timestamp === sample.timestamp) {
      return false;
    }
  }
  seen.set(series.hash, sample);
  return true;
}
