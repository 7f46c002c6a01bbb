import type { ProcessLog } from '../process-log.ts';
import type { Stats } from '../stats/index.ts';
import type { MetricFamily } from './family.ts';
import { TellOnce } from './tell-once.ts';

/** Native histograms of a page: most pages have none, and of other families nothing is looked at. */
export function nativeHistograms(families: readonly MetricFamily[]): number {
  let count = 0;
  for (const { type, samples } of families) {
    if (type !== 'histogram' && type !== 'gaugehistogram') continue;
    for (const { native } of samples) if (native !== undefined) count++;
  }
  return count;
}

/** Tells how many native histograms a page had that a format other than protobuf could only show as classic ones. */
export function reducedHistograms(stats: Stats, log: Pick<ProcessLog, 'warn'>): (count: number) => void {
  const reduced = stats.counter(
    'portico_page_reduced_histograms_total',
    'Native histograms shown as classic ones to scrapers that did not ask for protobuf.',
  );
  const once = new TellOnce(log);
  return (count) => {
    reduced.with({}).add(count);
    if (count === 0) return;
    const message =
      'a scraper that does not ask for protobuf sees native histograms as classic ones; ' +
      'Prometheus asks with scrape_native_histograms: true, before 3.8 with its feature native-histograms';
    once.warn('reduced', message, { histograms: count });
  };
}
