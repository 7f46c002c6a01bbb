/**
 * Milliseconds that the scrapes may take so that the page is there before the scraper gives up; Infinity when it does not say.
 * Of a patience that is short, at least half is left for the scrape.
 * @param header seconds, as Prometheus sends them in `X-Prometheus-Scrape-Timeout-Seconds`
 * @param offset milliseconds
 */
export function scrapeBudget(header: string | undefined, offset: number): number {
  if (header === undefined || !/^\d{1,6}(?:\.\d{1,9})?$/.test(header.trim())) return Infinity;
  const patience = Number(header) * 1000;
  return patience === 0 ? Infinity : Math.max(patience - offset, patience / 2);
}
