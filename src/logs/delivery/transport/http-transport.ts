import type { Pool } from 'undici';
import type { Clock } from '../../../filter/define-filter.ts';
import type { HttpOutputConfig } from '../config.ts';
import { AnswerBody } from './answer-body.ts';
import { Credentials } from './credentials.ts';
import { Rotation } from './rotation.ts';
import { WatchedFile } from './watched-file.ts';

/** What came back of one POST. */
export type Answer =
  | {
      readonly kind: 'response';
      readonly status: number;
      readonly retryAfter: string | undefined;
      readonly body: AnswerBody;
    }
  /** The answer is larger than is read: `status` came, the rest is unknown. */
  | { readonly kind: 'too_long'; readonly status: number }
  | { readonly kind: 'failed'; readonly cause: 'unreachable' | 'timeout' | 'credentials'; readonly reason: string };

/** Largest answer that is read: what a bulk answer says about 5,000 records is about 1 MiB. */
const longestAnswer = 16 * 1024 * 1024;

interface Target {
  readonly url: string;
  readonly origin: string;
  readonly path: string;
  readonly query: string;
  pool: Pool | undefined;
}

/**
 * Posts bodies to one of several URLs, over connections that are kept. Follows no redirect: records must not go where somebody
 * else points. Certificates and credentials are those that the files hold at the time of the attempt.
 */
export class HttpTransport {
  readonly #config: HttpOutputConfig;
  readonly #connections: number;
  readonly #targets: readonly Target[];
  readonly #rotation: Rotation<Target>;
  readonly #credentials: Credentials;
  readonly #tls: readonly (readonly ['ca' | 'cert' | 'key', WatchedFile])[];
  #tlsSeen = '';
  #connect: Record<string, unknown> = {};

  constructor(config: HttpOutputConfig, { clock, connections }: { clock: Clock; connections: number }) {
    this.#config = config;
    this.#connections = connections;
    this.#targets = config.endpoints.map((url) => {
      const { origin, pathname, search } = new URL(url);
      return { url, origin, path: pathname === '/' ? '' : pathname, query: search.slice(1), pool: undefined };
    });
    this.#rotation = new Rotation(this.#targets, clock);
    this.#credentials = new Credentials(config.auth);
    const { ca, certificate, private_key: key } = config.tls;
    this.#tls = (
      [
        ['ca', ca],
        ['cert', certificate],
        ['key', key],
      ] as const
    ).flatMap(([name, path]) => (path === undefined ? [] : [[name, new WatchedFile(path)] as const]));
  }

  /** @throws the signal's reason, nothing else */
  async post(
    path: string,
    query: string,
    headers: Readonly<Record<string, string>>,
    body: Uint8Array,
    signal: AbortSignal,
  ): Promise<Answer> {
    signal.throwIfAborted();
    let authorization: string | undefined;
    try {
      authorization = await this.#credentials.header();
      await this.#readTls();
    } catch (error) {
      return { kind: 'failed', cause: 'credentials', reason: reasonOf(error) };
    }
    const target = this.#rotation.pick();
    const timeout = AbortSignal.timeout(this.#config.request_timeout);
    const either = AbortSignal.any([signal, timeout]);
    try {
      const exchange = this.#exchange(target, {
        path: (target.path + path || '/') + showQuery(target.query, query),
        headers: { ...this.#config.headers, ...headers, ...(authorization !== undefined && { authorization }) },
        body,
        signal: either,
      });
      // The client's own way of giving up may take its time, as when a name is being resolved.
      const answer = await Promise.race([exchange, rejectOn(either)]);
      if (answer.status === 502 || answer.status === 503 || answer.status === 504) this.#rotation.failed(target);
      else this.#rotation.worked(target);
      return answer;
    } catch (error) {
      signal.throwIfAborted();
      this.#rotation.failed(target);
      const timedOut = timeout.aborted || /Timeout/.test((error as Error).name);
      const reason = timeout.aborted ? `no answer within ${this.#config.request_timeout} ms` : reasonOf(error);
      return {
        kind: 'failed',
        cause: timedOut ? 'timeout' : 'unreachable',
        reason: `${target.origin}: ${this.#credentials.redact(reason)}`,
      };
    }
  }

  show(): { url: string; skipped: boolean }[] {
    return this.#targets.map((target) => ({ url: target.url, skipped: this.#rotation.skipped(target) }));
  }

  async close(): Promise<void> {
    await Promise.all(this.#targets.map(async (target) => target.pool?.destroy()));
  }

  async #exchange(
    target: Target,
    request: { path: string; headers: Record<string, string>; body: Uint8Array; signal: AbortSignal },
  ): Promise<Exclude<Answer, { kind: 'failed' }>> {
    const pool = (target.pool ??= await this.#open(target.origin));
    const response = await pool.request({ ...request, method: 'POST' });
    const { statusCode: status, headers } = response;
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      size += chunk.byteLength;
      if (size > longestAnswer) {
        response.body.destroy();
        return { kind: 'too_long', status };
      }
      chunks.push(chunk);
    }
    const { 'retry-after': retryAfter, 'content-type': contentType } = headers;
    return {
      kind: 'response',
      status,
      retryAfter: first(retryAfter),
      body: new AnswerBody(Buffer.concat(chunks), first(contentType), (text) => this.#credentials.redact(text)),
    };
  }

  async #open(origin: string): Promise<Pool> {
    // Loaded when first needed: it takes a third of the time that the other roles need to start.
    const { Pool } = await import('undici');
    const { request_timeout: timeout, connect_timeout: connectTimeout } = this.#config;
    return new Pool(origin, {
      connections: this.#connections,
      pipelining: 1,
      allowH2: false,
      headersTimeout: timeout,
      bodyTimeout: timeout,
      keepAliveTimeout: 30_000,
      connect: { ...this.#connect, timeout: connectTimeout },
    });
  }

  /** Takes up certificates that changed: connections that use the old ones are let go when they are idle. */
  async #readTls(): Promise<void> {
    const read = await Promise.all(this.#tls.map(async ([name, file]) => [name, await file.read()] as const));
    const seen = JSON.stringify(read);
    if (seen === this.#tlsSeen) return;
    const { sni, insecure_skip_verify: insecure } = this.#config.tls;
    this.#tlsSeen = seen;
    this.#connect = {
      ...Object.fromEntries(read),
      ...(sni !== undefined && { servername: sni }),
      ...(insecure && { rejectUnauthorized: false }),
    };
    for (const target of this.#targets) {
      const old = target.pool;
      target.pool = undefined;
      old?.close().catch(() => {});
    }
  }
}

function first(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function rejectOn(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

function showQuery(...parts: readonly string[]): string {
  const query = parts.filter((part) => part !== '').join('&');
  return query === '' ? '' : `?${query}`;
}

function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  return error instanceof Error ? error.message || error.name : String(error);
}
