/** Why a scrape brought nothing, in words for a label: few, and none that the app chooses. */
export const scrapeFailures = [
  'connect',
  'timeout',
  'status',
  'content_type',
  'encoding',
  'body_size_limit',
  'sample_limit',
  'label_limit',
  'invalid',
  'reset',
  'internal',
] as const;
export type ScrapeFailure = (typeof scrapeFailures)[number];

/** A scrape as a whole failed; the message is for the log. */
export class ScrapeRefused extends Error {
  override readonly name = 'ScrapeRefused';
  readonly failure: ScrapeFailure;

  constructor(failure: ScrapeFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.failure = failure;
  }
}

export function tooManySamples(most: number): ScrapeRefused {
  return new ScrapeRefused('sample_limit', `has more than ${most} samples`);
}
