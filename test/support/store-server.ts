import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { gunzipSync } from 'node:zlib';

export interface StoreRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** Decompressed. */
  readonly bytes: Buffer;
  /** The same as text. */
  readonly body: string;
}

export interface StoreAnswer {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
}

/** What happens to a request instead of an answer by the store; `processed` first lets the store take what was sent. */
export type Trouble =
  | { readonly kind: 'answer'; readonly answer: StoreAnswer }
  | { readonly kind: 'reset'; readonly processed: boolean }
  | { readonly kind: 'hang' };

export interface StoreServer {
  readonly url: string;
  readonly port: number;
  readonly requests: StoreRequest[];
  /** For the next requests, one each. */
  readonly troubles: Trouble[];
  /** Milliseconds before each answer. */
  delay: number;
  /** Refuses connections until `up`, which takes the same port. */
  down(): Promise<void>;
  up(): Promise<void>;
  close(): Promise<void>;
}

/** A server of one test that can fall ill in the ways that stores do. */
export async function startStore(answer: (request: StoreRequest) => StoreAnswer): Promise<StoreServer> {
  const requests: StoreRequest[] = [];
  const troubles: Trouble[] = [];
  const sockets = new Set<Socket>();
  let port = 0;

  const serve = async (incoming: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
    const sent = Buffer.concat(chunks);
    const bytes = incoming.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
    const url = new URL(incoming.url!, 'http://store');
    const request: StoreRequest = {
      method: incoming.method!,
      path: url.pathname,
      query: url.searchParams,
      headers: incoming.headers,
      bytes,
      body: bytes.toString(),
    };
    requests.push(request);
    if (store.delay > 0) await new Promise((resolve) => setTimeout(resolve, store.delay));
    const trouble = troubles.shift();
    if (trouble?.kind === 'hang') return;
    if (trouble?.kind === 'reset') {
      if (trouble.processed) answer(request);
      incoming.socket.resetAndDestroy();
      return;
    }
    const { status, headers = {}, body = '' } = trouble?.answer ?? answer(request);
    response.writeHead(status, headers).end(body);
  };
  const server = createServer((incoming, response) => {
    serve(incoming, response).catch(() => incoming.socket.destroy());
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });

  const store: StoreServer = {
    get url() {
      return `http://127.0.0.1:${port}`;
    },
    get port() {
      return port;
    },
    requests,
    troubles,
    delay: 0,
    async down() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
    async up() {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, '127.0.0.1', () => resolve());
      });
      port = (server.address() as AddressInfo).port;
    },
    close: () => (server.listening ? store.down() : Promise.resolve()),
  };
  await store.up();
  return store;
}
