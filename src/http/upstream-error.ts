import type { ResponseFlag } from './response-flag.ts';

/** Why no usable response came from a cluster. Born where the upstream socket is, answered in serve.ts only. */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError';
  /** 502 the answer was unusable, 503 the app could not be asked, 504 it did not answer in time (RFC 9110 §15.6). */
  readonly status: 502 | 503 | 504;
  readonly flag: ResponseFlag;
  /** Response code details, snake case, stable: `upstream_connect_failure`. */
  readonly details: string;
  /** True when the app cannot have seen any byte of the request, so that every method may be tried again. */
  readonly untouched: boolean;
  /** `address:port` that was tried, if one was picked. */
  readonly endpoint: string | undefined;
  /** Seconds after which the client may come again, when somebody knows; then it is not tried again before. */
  readonly retryAfter: number | undefined;

  constructor(
    status: 502 | 503 | 504,
    flag: ResponseFlag,
    details: string,
    options: { untouched: boolean; endpoint?: string | undefined; cause?: unknown; retryAfter?: number },
  ) {
    super(options.cause instanceof Error ? `${details}: ${options.cause.message}` : details, { cause: options.cause });
    this.status = status;
    this.flag = flag;
    this.details = details;
    this.untouched = options.untouched;
    this.endpoint = options.endpoint;
    this.retryAfter = options.retryAfter;
  }
}
