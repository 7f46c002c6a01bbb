import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createGzip, gzip } from 'node:zlib';
import { http } from '../node-http.ts';
import type { Address } from '../options/index.ts';
import { answer } from './answer.ts';
import type { AdminConfig } from './config.ts';
import { Connections } from './connections.ts';
import type { AdminEndpoint } from './endpoints.ts';
import { listenOn } from './listen-on.ts';
import { text, type AdminReply } from './reply.ts';
import type { AdminView } from './view.ts';

export interface AdminDeps<View extends AdminView> {
  readonly view: View;
  readonly endpoints: readonly AdminEndpoint<View>[];
}

export interface Admin {
  /** @throws Error of one line when the address cannot be listened on */
  listen(): Promise<void>;
  /** Where it listens; with the real port once `listen` has resolved. */
  address(): Address;
  /** Lets running answers finish for a second, then closes what is left. */
  close(): Promise<void>;
}

const mostBody = 64 * 1024;
/** Shorter answers gain nothing from compression. */
const leastCompressed = 1024;
const patience = 1000;

/**
 * The admin interface: a server of its own with tight limits, because probes must get through when everything else is
 * at its limit, and because whoever can reach it should gain little from it.
 */
export function createAdmin<View extends AdminView>(config: AdminConfig, { view, endpoints }: AdminDeps<View>): Admin {
  const server = http.createServer({
    maxHeaderSize: 8 * 1024,
    headersTimeout: 5000,
    requestTimeout: 10_000,
    // Scrapers come back every minute; idle connections give way when the limit is reached.
    keepAliveTimeout: 75_000,
    connectionsCheckingInterval: 2000,
  });
  // Zero is no limit by number. With one, Node hides the headers beyond it, and Origin must not be hidden.
  server.maxHeadersCount = 0;
  server.timeout = 90_000;
  const connections = new Connections(config.max_connections);
  server.on('connection', (socket) => connections.add(socket));
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
    socket.end(
      `HTTP/1.1 ${clientErrorStatus[error.code ?? ''] ?? '400 Bad Request'}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
      () => socket.destroy(),
    );
  });
  server.on('request', (request, response) => {
    connections.begin(request.socket);
    response.on('close', () => connections.finish(request.socket));
    response.on('error', () => {});
    respond(request, response).catch((error: unknown) => {
      view.log.error('admin request failed', { error });
      response.destroy();
    });
  });

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const remoteAddress = config.address.kind === 'unix' ? 'unix' : request.socket.remoteAddress;
    const body = await readBody(request);
    if (body === undefined) {
      await write(request, response, { ...text('the body is too large\n', 413), headers: { connection: 'close' } });
      return;
    }
    const reply = await answer(
      {
        method: request.method ?? 'GET',
        target: request.url ?? '',
        contentType: request.headers['content-type'],
        headers: request.headersDistinct,
        body,
        caller: {
          remoteAddress,
          host: request.headersDistinct['host'] ?? [],
          origin: request.headers.origin,
          fetchSite: request.headersDistinct['sec-fetch-site']?.join(', '),
          proxied: ['forwarded', 'x-forwarded-for', 'via'].some((name) => request.headers[name] !== undefined),
        },
      },
      endpoints,
      view,
      config,
    );
    await write(request, response, reply);
  }

  return {
    async listen() {
      await listenOn(server, config.address);
      server.on('error', (error) => view.log.error('admin server', { error }));
    },
    address: () => addressOf(server, config.address),
    close: () =>
      new Promise((resolve) => {
        const timer = setTimeout(() => connections.closeAll(), patience);
        server.close(() => {
          clearTimeout(timer);
          resolve();
        });
        connections.closeIdle();
      }),
  };
}

const clientErrorStatus: Record<string, string> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** Undefined when it is too large; what is left of it is then thrown away. */
async function readBody(request: IncomingMessage): Promise<Uint8Array | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > mostBody) return undefined;
  const chunks: Buffer[] = [];
  let size = 0;
  return new Promise((resolve, reject) => {
    request.on('data', (chunk: Buffer) => {
      size += chunk.byteLength;
      if (size <= mostBody) return void chunks.push(chunk);
      resolve(undefined);
    });
    request.on('end', () => resolve(Buffer.concat(chunks)));
    request.on('error', reject);
  });
}

const compress = promisify(gzip);

async function write(request: IncomingMessage, response: ServerResponse, reply: AdminReply): Promise<void> {
  const headers: Record<string, string | number> = {
    'content-type': reply.contentType,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    ...reply.headers,
  };
  if (typeof reply.body !== 'string') return stream(request, response, reply.status, headers, reply.body);
  let body: Uint8Array = Buffer.from(reply.body);
  if (body.byteLength >= leastCompressed) {
    headers['vary'] = 'accept-encoding';
    if (acceptsGzip(request.headers['accept-encoding'])) {
      body = await compress(body, { level: 1 });
      headers['content-encoding'] = 'gzip';
    }
  }
  headers['content-length'] = body.byteLength;
  if (response.destroyed) return;
  response.writeHead(reply.status, headers);
  response.end(request.method === 'HEAD' ? undefined : body);
}

const clientLeft = ['ERR_STREAM_PREMATURE_CLOSE', 'EPIPE', 'ECONNRESET'];

/** Chunks are made as the client takes them, so that a large answer is never in memory as a whole. */
async function stream(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  headers: Record<string, string | number>,
  body: Iterable<Uint8Array>,
): Promise<void> {
  const zipped = acceptsGzip(request.headers['accept-encoding']);
  if (response.destroyed) return;
  response.writeHead(status, {
    vary: 'accept-encoding',
    ...headers,
    ...(zipped ? { 'content-encoding': 'gzip' } : {}),
  });
  if (request.method === 'HEAD') return void response.end();
  const chunks = Readable.from(body, { objectMode: false });
  try {
    await (zipped ? pipeline(chunks, createGzip({ level: 1 }), response) : pipeline(chunks, response));
  } catch (error) {
    // A client that has left is no fault.
    if (!clientLeft.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/** RFC 9110 §12.5.3. */
export function acceptsGzip(header: string | string[] | undefined): boolean {
  const weights = new Map<string, number>();
  for (const one of String(header ?? '').split(',')) {
    const [coding = '', ...parameters] = one.split(';').map((part) => part.trim().toLowerCase());
    const q = parameters.find((parameter) => parameter.startsWith('q='));
    weights.set(coding, q === undefined ? 1 : Number(q.slice(2)));
  }
  return (weights.get('gzip') ?? weights.get('*') ?? 0) > 0;
}

function addressOf(server: Server, configured: Address): Address {
  const bound = server.address();
  if (bound === null || typeof bound === 'string' || configured.kind === 'unix') return configured;
  return { kind: 'tcp', host: configured.host, port: bound.port };
}
