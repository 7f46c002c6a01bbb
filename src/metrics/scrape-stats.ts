import type { Stats } from '../stats/index.ts';
import type { Merged } from './merge-families.ts';
import type { ScrapeResult } from './scrape/target.ts';

/** What is told of the scraping, in the page itself. */
export interface ScrapeStats {
  scraped(result: ScrapeResult): void;
  merged(merged: Merged): void;
  /** A target that is configured no more. */
  forget(target: string): void;
}

/** @param instance host and port of a target */
export function scrapeStats(stats: Stats, instance: (target: string) => string): ScrapeStats {
  const labels = ['target'];
  const up = stats.gauge('up', 'Whether the last scrape of the target by portico worked.', ['target', 'instance']);
  const duration = stats.gauge('portico_scrape_duration_seconds', 'Duration of the last scrape.', labels);
  const scraped = stats.gauge('portico_scrape_samples_scraped', 'Samples that the target sent.', labels);
  const kept = stats.gauge(
    'portico_scrape_samples_post_relabeling',
    'Samples that were left after relabelling.',
    labels,
  );
  const bodySize = stats.gauge('portico_scrape_body_size_bytes', 'Bytes of the last answer, decompressed.', labels);
  const invalid = stats.counter(
    'portico_scrape_invalid_lines_total',
    'Lines that could not be read and were left out.',
    labels,
  );
  const failures = stats.counter('portico_scrape_failures_total', 'Scrapes that brought nothing, by reason.', [
    'target',
    'reason',
  ]);
  const duplicates = stats.counter(
    'portico_page_duplicate_samples_total',
    'Samples left out because their series was there already.',
  );
  const conflicts = stats.counter(
    'portico_page_conflicting_samples_total',
    'Samples left out because their family has another type elsewhere.',
  );
  const instances = new Map<string, string>();
  const reasons = new Map<string, Set<string>>();

  return {
    scraped(result) {
      const { target, refused } = result;
      const at = instance(target);
      const before = instances.get(target);
      if (before !== undefined && before !== at) up.remove({ target, instance: before });
      instances.set(target, at);
      up.with({ target, instance: at }).set(refused === undefined ? 1 : 0);
      duration.with({ target }).set(result.duration);
      scraped.with({ target }).set(result.samplesScraped);
      kept.with({ target }).set(result.samplesKept);
      bodySize.with({ target }).set(result.bodySize);
      invalid.with({ target }).add(result.invalidLines);
      if (refused === undefined) return;
      failures.with({ target, reason: refused.failure }).add();
      if (!reasons.has(target)) reasons.set(target, new Set());
      reasons.get(target)!.add(refused.failure);
    },
    merged(merged) {
      duplicates.with({}).add(merged.duplicates);
      conflicts.with({}).add(merged.conflicts);
    },
    forget(target) {
      const at = instances.get(target);
      if (at !== undefined) up.remove({ target, instance: at });
      instances.delete(target);
      for (const family of [duration, scraped, kept, bodySize, invalid]) family.remove({ target });
      for (const reason of reasons.get(target) ?? []) failures.remove({ target, reason });
      reasons.delete(target);
    },
  };
}
