import { BytesBody, Cancellation, Headers, noBody, readAll, UpstreamError } from '../http/index.ts';
import type { Attempt, UpstreamCluster, UpstreamResponse } from '../cluster/attempt.ts';
import type { FetchOptions, FetchResult } from './define-filter.ts';

const defaultTimeout = 5000;
const defaultLimit = 1024 * 1024;

/**
 * The HTTP client of filters: through a configured cluster, with its breakers and TLS settings, or straight to the URL's host.
 * Redirects are answers like any other: a key set or a verdict must not come from where somebody else points.
 * @throws Error when there is no whole response within time and limit
 */
export function makeFetch(cluster: (name: string) => UpstreamCluster | undefined) {
  return async function fetch(url: string, options: FetchOptions = {}): Promise<FetchResult> {
    const target = new URL(url);
    const timeout = AbortSignal.timeout(options.timeout ?? defaultTimeout);
    const signal = options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]);
    if (options.cluster === undefined) return fetchDirectly(target, options, signal);
    const through = cluster(options.cluster);
    if (through === undefined) throw new Error(`there is no cluster named ${options.cluster}`);
    return fetchThrough(through, target, options, signal);
  };
}

async function fetchDirectly(target: URL, options: FetchOptions, signal: AbortSignal): Promise<FetchResult> {
  // Loaded when first needed: a proxy whose filters call nobody does not pay for it.
  const { request } = await import('undici');
  const response = await request(target, {
    method: (options.method ?? 'GET') as 'GET',
    headers: options.headers ?? {},
    body: options.body ?? null,
    signal,
  });
  const limit = options.limit ?? defaultLimit;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > limit) {
      response.body.destroy();
      throw new RangeError(`the response of ${target.origin} is larger than ${limit} bytes`);
    }
    chunks.push(chunk);
  }
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(response.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return { status: response.statusCode, headers, body: Buffer.concat(chunks) };
}

/** @throws UpstreamError */
function outcomeOf(cluster: UpstreamCluster, attempt: Attempt): Promise<UpstreamResponse> {
  return new Promise((resolve, reject) => {
    cluster.send(attempt, (outcome) => {
      if (outcome instanceof UpstreamError) reject(outcome);
      else resolve(outcome);
    });
  });
}

async function fetchThrough(
  through: UpstreamCluster,
  target: URL,
  options: FetchOptions,
  signal: AbortSignal,
): Promise<FetchResult> {
  const cancellation = new Cancellation();
  const abort = () => cancellation.cancel(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  try {
    const response = await outcomeOf(through, {
      method: options.method ?? 'GET',
      scheme: target.protocol === 'https:' ? 'https' : 'http',
      authority: target.host,
      path: target.pathname + target.search,
      headers: Headers.of(options.headers ?? {}),
      body: options.body === undefined ? noBody : new BytesBody(Buffer.from(options.body)),
      hash: undefined,
      avoid: new Set(),
      isRetry: false,
      perTryTimeout: 0,
      idleTimeout: 0,
      onInform() {},
      onEndpoint() {},
      cancellation,
    });
    const body = await readAll(response.body, options.limit ?? defaultLimit);
    const headers: Record<string, string> = {};
    for (const [name] of response.headers) headers[name.toLowerCase()] ??= response.headers.get(name)!;
    return { status: response.status, headers, body };
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
