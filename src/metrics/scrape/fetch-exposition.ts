import type { Agent as HttpAgent, IncomingMessage, RequestOptions } from 'node:http';
import type { Agent as HttpsAgent } from 'node:https';
import { createGunzip } from 'node:zlib';
import { http } from '../../node-http.ts';
import { showDuration } from '../../options/index.ts';
import { ScrapeRefused } from '../scrape-refused.ts';

export interface FetchOptions {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds for everything. */
  readonly timeout: number;
  /** Most bytes of the body, before and after decompression. */
  readonly maxBody: number;
  /** A connection is kept from scrape to scrape. */
  readonly agent: HttpAgent | HttpsAgent;
  readonly tls: RequestOptions & {
    readonly ca?: string | undefined;
    readonly servername?: string;
    readonly rejectUnauthorized?: boolean;
  };
}

/** Who reads the body, chosen when the content type is known. */
export interface BodyReader {
  write(chunk: Buffer): void;
}

export interface Fetched {
  /** Bytes of the body after decompression. */
  readonly bodySize: number;
}

/**
 * GETs an exposition and gives its body to a reader chunk by chunk, decompressed. Redirects are not followed: the app is where
 * the configuration says it is.
 * @param open answers the reader for a content type; may throw ScrapeRefused
 * @throws ScrapeRefused; what the reader throws
 */
export async function fetchExposition(
  options: FetchOptions,
  open: (contentType: string | undefined) => BodyReader,
): Promise<Fetched> {
  const { url, timeout } = options;
  const send = url.protocol === 'https:' ? (await import('node:https')).request : http.request;
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), timeout);
  try {
    const response = await ask(send, options, late.signal);
    try {
      return { bodySize: await readBody(response, options, open) };
    } finally {
      // A body that was read to its end has given its connection back; any other is of no more use.
      if (!response.readableEnded) response.destroy();
    }
  } catch (error) {
    if (late.signal.aborted)
      throw new ScrapeRefused('timeout', `has not answered in full within ${showDuration(timeout)}`);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** The head of the answer. A kept connection that the app closed meanwhile says nothing about the app: it is asked once more. */
async function ask(send: typeof http.request, options: FetchOptions, signal: AbortSignal): Promise<IncomingMessage> {
  for (;;) {
    const { url, headers, agent, tls } = options;
    const request = send(url, { headers, agent, signal, ...tls });
    try {
      return await new Promise<IncomingMessage>((resolve, reject) => {
        request.on('response', resolve);
        // After the head, an error of the connection is told by the response as well.
        request.on('error', reject);
        request.end();
      });
    } catch (error) {
      if (request.reusedSocket && !signal.aborted) continue;
      throw new ScrapeRefused('connect', `cannot be reached: ${reasonOf(error)}`, { cause: error });
    }
  }
}

async function readBody(
  response: IncomingMessage,
  { maxBody }: FetchOptions,
  open: (contentType: string | undefined) => BodyReader,
): Promise<number> {
  const status = response.statusCode ?? 0;
  if (status !== 200) throw new ScrapeRefused('status', `answers ${status}, not 200`);
  const declared = Number(response.headers['content-length'] ?? 0);
  if (declared > maxBody) throw tooLarge(maxBody);
  const reader = open(response.headers['content-type']);
  let size = 0;
  for await (const chunk of decoded(response, maxBody)) {
    size += chunk.length;
    if (size > maxBody) throw tooLarge(maxBody);
    reader.write(chunk);
  }
  return size;
}

async function* decoded(response: IncomingMessage, maxBody: number): AsyncGenerator<Buffer> {
  const coding = (response.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (coding !== 'identity' && coding !== 'gzip' && coding !== 'x-gzip') {
    throw new ScrapeRefused(
      'encoding',
      `sends content-encoding ${JSON.stringify(coding.slice(0, 40))}, which was not asked for`,
    );
  }
  try {
    if (coding === 'identity') {
      yield* response as AsyncIterable<Buffer>;
      return;
    }
    // Small steps, so that a bomb is noticed before it is large.
    const gunzip = createGunzip({ chunkSize: 64 * 1024 });
    let compressed = 0;
    response.on('data', (chunk: Buffer) => {
      compressed += chunk.length;
      if (compressed > maxBody) gunzip.destroy(tooLarge(maxBody));
    });
    response.on('error', (error) => gunzip.destroy(error));
    response.pipe(gunzip);
    yield* gunzip as AsyncIterable<Buffer>;
  } catch (error) {
    if (error instanceof ScrapeRefused) throw error;
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code.startsWith('Z_'))
      throw new ScrapeRefused('encoding', `sends a body that is not gzip: ${reasonOf(error)}`, { cause: error });
    throw new ScrapeRefused('reset', `ended in the middle of its body: ${reasonOf(error)}`, { cause: error });
  }
}

function tooLarge(maxBody: number): ScrapeRefused {
  return new ScrapeRefused('body_size_limit', `has a body of more than ${maxBody} bytes`);
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}
