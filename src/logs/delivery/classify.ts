import type { RetryCause } from './outcome.ts';

/** What the status of a whole response means for the batch. */
export type Verdict =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'retry'; readonly cause: RetryCause }
  | { readonly kind: 'split' }
  | { readonly kind: 'refused' };

const busy: Verdict = { kind: 'retry', cause: 'busy' };
const misconfigured: Verdict = { kind: 'retry', cause: 'misconfigured' };

/**
 * Only what is said about the data itself ends the attempts: 400 and 422 (a record in it is wrong) and 413 (too many of
 * them). What is said about the way (a redirect, 404, 405, 415, 501 …) is mended by an operator, who finds nothing lost when it
 * is. 401, 403 and 407 end when credentials have been rotated.
 */
export function classify(status: number): Verdict {
  if (status >= 200 && status < 300) return { kind: 'delivered' };
  switch (status) {
    case 400:
    case 422:
      return { kind: 'refused' };
    case 401:
    case 403:
    case 407:
      return { kind: 'retry', cause: 'credentials' };
    case 408:
    case 409:
    case 423:
    case 425:
    case 429:
      return busy;
    case 413:
      return { kind: 'split' };
    case 501:
    case 505:
      return misconfigured;
  }
  return status >= 500 ? busy : misconfigured;
}
