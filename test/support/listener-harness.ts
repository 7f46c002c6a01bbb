import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import * as v from 'valibot';
import { onTestFinished } from 'vitest';
import { FilterChain, type ChainLink } from '../../src/filter/chain.ts';
import type { FilterHooks } from '../../src/filter/define-filter.ts';
import { localReply, readAll, type Exchange, type Headers, type Request, type Response } from '../../src/http/index.ts';
import type { Codec, CodecContext } from '../../src/listener/codec.ts';
import { createListener, listenerSchema, type Listener, type ListenerConfig } from '../../src/listener/index.ts';
import type { Route } from '../../src/router/route.ts';
import { Stats } from '../../src/stats/index.ts';

export type Answer = (
  exchange: Exchange,
  inform: (status: number, headers: Headers) => void,
) => Response | Promise<Response>;

export interface TestListener {
  readonly listener: Listener;
  readonly port: number;
  readonly stats: Stats;
  /** Exchanges as `onLog` saw them, in order. */
  readonly logged: Exchange[];
  /** Exchanges that reached the route. */
  readonly answered: Exchange[];
  /** Resolves when so many exchanges have been logged. */
  logs(count: number): Promise<Exchange[]>;
  /** What was logged for operators, at warn and above. */
  readonly complaints: string[];
}

export interface TestListenerOptions {
  /** What the route answers. Default: 200 with one line naming method and path. */
  answer?: Answer;
  filters?: readonly FilterHooks[];
  config?: Omit<v.InferInput<typeof listenerSchema>, 'name' | 'address'> & { address?: string; name?: string };
  upgrades?: readonly string[];
  idleTimeout?: number;
  /** Default: the one of the product. */
  http1?: (context: CodecContext) => Codec;
  http2?: (context: CodecContext) => Codec;
  /** Folder of certificate files. */
  folder?: string;
}

/** A listener on a free port of loopback, with one route. Closed when the test ends. */
export async function startListener(options: TestListenerOptions = {}): Promise<TestListener> {
  const stats = new Stats();
  const logged: Exchange[] = [];
  const answered: Exchange[] = [];
  const complaints: string[] = [];
  let heard: () => void = () => {};
  const link = (hooks: FilterHooks, at: number): ChainLink => ({
    id: `filter-${at}`,
    hooks,
    shadow: false,
    failed: (hook, error) => complaints.push(`${hook}: ${String(error)}`),
    wouldRefuse: () => {},
  });
  const log: FilterHooks = {
    onLog(exchange) {
      logged.push(exchange);
      heard();
    },
  };
  const chain = new FilterChain([log, ...(options.filters ?? [])].map(link));
  const answer: Answer =
    options.answer ??
    ((exchange) => localReply(200, 'ok', { body: `${exchange.request.method} ${exchange.request.path}\n` }));
  const route: Route = {
    facts: { virtualHost: 'test', route: 'test' },
    chain,
    idleTimeout: options.idleTimeout,
    upgrades: new Set(options.upgrades ?? []),
    answer(exchange, receiver) {
      answered.push(exchange);
      const given = answer(exchange, (status, headers) => receiver.inform(status, headers));
      if (!(given instanceof Promise)) return receiver.answer(given);
      given.then(
        (response) => receiver.answer(response),
        (error: unknown) => receiver.answer(error as Error),
      );
    },
  };
  const listener = await createListener(listenerConfig(options.config), {
    routes: () => ({ match: () => route }),
    refusedChain: () => chain,
    stats,
    clock: { now: () => Date.now(), monotonic: () => performance.now() },
    log: {
      debug() {},
      info() {},
      warn: (message, fields) => complaints.push(`${message} ${JSON.stringify(fields)}`),
      error: (message, fields) => complaints.push(`${message} ${JSON.stringify(fields)}`),
    },
    resolvePath: (path) => resolve(options.folder ?? '.', path),
    path: ['listeners', 0],
    ...(options.http1 === undefined ? {} : { http1: options.http1 }),
    ...(options.http2 === undefined ? {} : { http2: options.http2 }),
  });
  onTestFinished(async () => {
    await listener.close(0);
  });
  await listener.listen();
  const address = listener.address();
  return {
    listener,
    port: address.kind === 'tcp' ? address.port : 0,
    stats,
    logged,
    answered,
    complaints,
    async logs(count) {
      while (logged.length < count) await new Promise<void>((resolveHeard) => (heard = resolveHeard));
      return logged;
    },
  };
}

export function listenerConfig(config: TestListenerOptions['config'] = {}): ListenerConfig {
  return v.parse(listenerSchema, { name: 'test', address: '127.0.0.1:0', ...config });
}

/** Answers with what arrived: the request head as the app would get it, and the body. */
export const echo: Answer = async (exchange) => {
  const { request } = exchange;
  const body = await readAll(request.body, 64 * 1024 * 1024);
  return localReply(200, 'ok', {
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(seen(request, body)),
  });
};

export interface Seen {
  method: string;
  scheme: string;
  authority: string;
  path: string;
  headers: [string, string][];
  body: string;
}

function seen(request: Request, body: Uint8Array): Seen {
  return {
    method: request.method,
    scheme: request.scheme,
    authority: request.authority,
    path: request.path,
    headers: [...request.headers],
    body: Buffer.from(body).toString('latin1'),
  };
}

/** A client that sends bytes as they are and keeps what comes back. */
export class RawClient {
  readonly socket: Socket;
  received = '';
  /** Number of chunks read so far. */
  chunks = 0;
  closed = false;
  #changed: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.received += chunk.toString('latin1');
      this.chunks++;
      this.#changed();
    });
    socket.on('error', () => {});
    for (const event of ['end', 'close']) {
      socket.on(event, () => {
        this.closed = true;
        this.#changed();
      });
    }
    onTestFinished(() => {
      socket.destroy();
    });
  }

  static async connect(port: number): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    await new Promise<void>((resolveConnect, reject) => socket.once('connect', resolveConnect).once('error', reject));
    return new RawClient(socket);
  }

  write(text: string | Uint8Array): this {
    this.socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text);
    return this;
  }

  async until(done: (client: RawClient) => boolean): Promise<string> {
    while (!done(this)) {
      if (this.closed) throw new Error(`closed after ${JSON.stringify(this.received)}`);
      await new Promise<void>((resolveChange) => (this.#changed = resolveChange));
    }
    return this.received;
  }

  /** Waits for a text to have arrived. */
  expects(text: string): Promise<string> {
    return this.until((client) => client.received.includes(text));
  }

  /** Waits for the other side to close; answers all that came. */
  async end(): Promise<string> {
    while (!this.closed) await new Promise<void>((resolveChange) => (this.#changed = resolveChange));
    return this.received;
  }
}

/** Sends one text on a connection of its own and waits until the proxy closes it. */
export async function exchangeRaw(port: number, text: string | Uint8Array): Promise<string> {
  const client = await RawClient.connect(port);
  client.write(text);
  return client.end();
}

/** The status codes of the responses in a stream of bytes. */
export function statusesIn(text: string): number[] {
  return [...text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status));
}

/** A folder of files that is removed when the test ends. */
export function folderOf(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'portico-test-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}
