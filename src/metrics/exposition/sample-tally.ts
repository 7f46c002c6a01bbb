import type { Exemplar, MetricFamily, Sample } from '../family.ts';
import { tooManySamples } from '../scrape-refused.ts';
import { ScrapedSample } from '../scraped-sample.ts';
import type { KnownSeries } from '../series-table.ts';
import type { FaultLog } from './fault-log.ts';
import type { ParsedExposition } from './parsed.ts';

/** Makes the samples of one exposition and counts them. */
export class SampleTally {
  readonly #most: number;
  #scraped = 0;
  #admitted = 0;

  /** @param most samples that are admitted; one more ends the reading */
  constructor(most: number) {
    this.#most = most;
  }

  /**
   * A sample of a series, put into its family unless the series is dropped.
   * @throws ScrapeRefused when it is one too many
   */
  take(
    { admitted }: KnownSeries,
    family: Sample[],
    value: string,
    timestamp?: string,
    exemplar?: Exemplar,
    native?: Uint8Array,
  ): void {
    this.#scraped++;
    if (admitted === undefined) return;
    if (++this.#admitted > this.#most) throw tooManySamples(this.#most);
    family.push(new ScrapedSample(admitted, value, timestamp, exemplar, native));
  }

  /** A sample that says again what was said. */
  leaveOut(): void {
    this.#scraped++;
  }

  parsed(families: MetricFamily[], faults?: FaultLog): ParsedExposition {
    return {
      families,
      samplesScraped: this.#scraped,
      samplesAdmitted: this.#admitted,
      faults: faults?.count ?? 0,
      firstFault: faults?.first,
    };
  }
}
