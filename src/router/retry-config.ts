import * as v from 'valibot';
import { byteSize, doc, duration, integer } from '../options/index.ts';

const retryConditions = [
  'connect-failure',
  'refused-stream',
  'reset',
  'reset-before-request',
  'gateway-error',
  '5xx',
  'retriable-4xx',
  'retriable-status-codes',
] as const;

const backOffSchema = v.pipe(
  v.strictObject({
    base_interval: v.optional(
      doc(
        'Longest wait before the first retry; it doubles from retry to retry. Each wait is a random part of it (full jitter).',
        v.pipe(duration(), v.minValue(1, 'must be at least 1ms')),
      ),
      '25ms',
    ),
    max_interval: v.optional(
      doc('Where the doubling ends. Default: ten times base_interval, which is 250ms.', duration()),
    ),
  }),
  v.check(
    ({ base_interval, max_interval }) => max_interval === undefined || max_interval >= base_interval,
    'max_interval must not be less than base_interval',
  ),
);

const rateLimitedBackOffSchema = v.strictObject({
  max_interval: v.optional(
    doc(
      'An answer that asks for more, or for more than is left of the timeout, is passed on to the client. 0 takes no notice of ' +
        'Retry-After.',
      duration(),
    ),
    '300s',
  ),
});

/** When a route tries a request again, and how. */
export const retryPolicySchema = v.pipe(
  v.strictObject({
    retry_on: v.optional(
      doc(
        'What is tried again. `connect-failure`: no connection, or the app cannot have seen the request; `refused-stream` and ' +
          '`reset-before-request`: the app refused it unread, or the connection ended before a byte of it was written; `reset`: no ' +
          'response for whatever cause, also per_try_timeout; `gateway-error`: 502, 503, 504 or no response; `5xx`: any 5xx or no ' +
          'response; `retriable-4xx`: 409; `retriable-status-codes`: those listed. A connection that ended without a response is tried ' +
          'again whatever is written here, at once if it was a kept one that the app closed just when the request was sent. Overflow ' +
          'of a circuit breaker and lack of healthy endpoints are never tried again, and what the app may have seen only if the ' +
          'method is idempotent or retry_non_idempotent is true.',
        v.array(v.picklist(retryConditions)),
      ),
      ['connect-failure'],
    ),
    num_retries: v.optional(
      doc(
        'Most tries after the first one; 0 turns retries off. An idempotent request that met the close of a connection which the ' +
          'app had not used for a while is sent once more in any case; that is no retry.',
        integer(0, 20),
      ),
      1,
    ),
    per_try_timeout: v.optional(doc('Longest wait of one try for its response head; 0 is off.', duration()), '0s'),
    hedge_on_per_try_timeout: v.optional(
      doc(
        'A try that takes longer than per_try_timeout goes on while the next one is made: the first good answer is taken, the ' +
          'others are cancelled. For idempotent requests whose body is at hand.',
        v.boolean(),
      ),
      false,
    ),
    retriable_status_codes: v.optional(
      doc('Statuses for the condition retriable-status-codes.', v.array(integer(200, 599))),
      [],
    ),
    retry_back_off: v.optional(doc('How long to wait between tries.', backOffSchema), {}),
    rate_limited_retry_back_off: v.optional(
      doc(
        'What becomes of `Retry-After` in an answer that would be tried again: it is waited for, and up to half as long again, ' +
          'instead of retry_back_off.',
        rateLimitedBackOffSchema,
      ),
      {},
    ),
    retry_non_idempotent: v.optional(
      doc(
        'Whether POST, PATCH and the like are tried again even if the app may have seen the request (RFC 9110 section 9.2.2). ' +
          'Say true only if the app can tell repeated requests.',
        v.boolean(),
      ),
      false,
    ),
    max_request_bytes: v.optional(
      doc(
        'Most bytes of a request body that are kept for another try. A request with more is tried again only while none were sent.',
        byteSize(),
      ),
      '64KiB',
    ),
  }),
  v.check(
    ({ retry_on, retriable_status_codes }) =>
      retry_on.includes('retriable-status-codes') === retriable_status_codes.length > 0,
    'retriable-status-codes in retry_on and the list retriable_status_codes need each other',
  ),
  v.check(
    ({ hedge_on_per_try_timeout: hedge, per_try_timeout, num_retries }) =>
      !hedge || (per_try_timeout > 0 && num_retries > 0),
    'hedge_on_per_try_timeout needs a per_try_timeout, and num_retries of at least 1',
  ),
);

export type RetryPolicyConfig = v.InferOutput<typeof retryPolicySchema>;
export type RetryCondition = (typeof retryConditions)[number];
