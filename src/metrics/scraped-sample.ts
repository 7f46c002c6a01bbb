import type { Exemplar, Sample } from './family.ts';
import type { Series } from './series.ts';

/** A sample whose name and labels are those of a series that is kept: a page has as many as an app has series. */
export class ScrapedSample implements Sample {
  readonly series: Series;
  readonly value: string;
  readonly timestamp: string | undefined;
  readonly exemplar: Exemplar | undefined;
  declare readonly native?: Uint8Array;

  constructor(
    series: Series,
    value: string,
    timestamp: string | undefined,
    exemplar: Exemplar | undefined,
    native?: Uint8Array,
  ) {
    this.series = series;
    this.value = value;
    this.timestamp = timestamp;
    this.exemplar = exemplar;
    // Few have one, and the others need no place for it.
    if (native !== undefined) this.native = native;
  }

  get name(): string {
    return this.series.name;
  }

  get labels(): readonly string[] {
    return this.series.labels;
  }
}
