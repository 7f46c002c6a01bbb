import net from 'node:net';
import { ChunkedDecoder, HeadReader, isWireFault, parseResponseHead, responseFraming } from '../../src/http1/index.ts';

/**
 * How a request ended. `whole`: the answer came to its end. `refused`: no byte of an answer came, and the connection was
 * refused or closed. `broken`: it broke after some bytes. `silent`: nothing came in time. `nonsense`: no HTTP.
 */
export interface Probe {
  readonly outcome: 'whole' | 'refused' | 'broken' | 'silent' | 'nonsense';
  /** 0 when there was no head. */
  readonly status: number;
  /** Statuses of interim responses. */
  readonly interim: readonly number[];
  /** Name in lower case, value; of the final response. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Bytes received for this request. */
  readonly bytes: number;
  readonly milliseconds: number;
}

export interface ProbeRequest {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: readonly string[];
  readonly body?: string;
  /** Bytes written as they stand, instead of all the above but the method. */
  readonly raw?: string;
  /** Milliseconds; default 10 000. */
  readonly timeout?: number;
}

/**
 * An HTTP/1.1 client on one kept connection at a time. What ordinary load generators call a socket error it tells apart:
 * a request that was refused before a byte of an answer, and one that broke after some.
 */
export class ProbingClient {
  readonly #port: number;
  #socket: net.Socket | undefined;
  /** Connections opened so far. */
  connections = 0;

  constructor(port: number) {
    this.#port = port;
  }

  /** The connection of the request under way, for clients that leave. */
  get socket(): net.Socket | undefined {
    return this.#socket;
  }

  /** Sends a request, on the kept connection if there is one; one at a time. Never rejects. */
  send(request: ProbeRequest = {}): Promise<Probe> {
    const { method = 'GET', timeout = 10_000 } = request;
    const started = performance.now();
    let socket = this.#socket;
    if (socket === undefined || socket.destroyed || !socket.writable) {
      this.connections++;
      socket = net.connect({ port: this.#port, host: '127.0.0.1', noDelay: true });
      socket.on('error', () => {});
      this.#socket = socket;
    }
    const connection = socket;
    return new Promise((resolve) => {
      const reader = new HeadReader(1024 * 1024);
      const interim: number[] = [];
      let head: ReturnType<typeof parseResponseHead> | undefined;
      let left = Infinity;
      let chunked: ChunkedDecoder | undefined;
      let untilClose = false;
      let body = '';
      let bytes = 0;
      const finish = (outcome: Probe['outcome'], keep = false): void => {
        clearTimeout(timer);
        connection.off('data', read).off('close', closed).off('end', closed);
        if (!keep) {
          connection.destroy();
          if (this.#socket === connection) this.#socket = undefined;
        }
        const known = head !== undefined && !isWireFault(head) ? head : undefined;
        const headers: Record<string, string> = {};
        const flat = known?.fields.flat ?? [];
        for (let at = 0; at < flat.length; at += 2) headers[flat[at]!.toLowerCase()] = flat[at + 1]!;
        // The parser keeps it apart.
        const length = known?.fields.contentLength;
        if (length !== undefined) headers['content-length'] = String(length);
        const milliseconds = performance.now() - started;
        resolve({ outcome, status: known?.status ?? 0, interim, headers, body, bytes, milliseconds });
      };
      const whole = (): void => {
        const close = head !== undefined && !isWireFault(head) && head.fields.connection?.includes('close') === true;
        finish('whole', !close && !untilClose);
      };
      const closed = (): void => {
        if (untilClose) whole();
        else finish(bytes === 0 ? 'refused' : 'broken');
      };
      const timer = setTimeout(() => finish(bytes === 0 ? 'silent' : 'broken'), timeout);
      const read = (chunk: Buffer): void => {
        bytes += chunk.length;
        let rest = chunk;
        while (head === undefined) {
          const text = reader.read(rest);
          if (text === undefined) return;
          if (isWireFault(text)) return finish('nonsense');
          const parsed = parseResponseHead(text.text, 10_000);
          if (isWireFault(parsed)) return finish('nonsense');
          rest = text.rest;
          if (parsed.status < 200) {
            interim.push(parsed.status);
            if (rest.length === 0) return;
            continue;
          }
          head = parsed;
          const framing = responseFraming(parsed, method);
          if (framing.kind === 'length') left = framing.length;
          else if (framing.kind === 'chunked') chunked = new ChunkedDecoder();
          else if (framing.kind === 'none') left = 0;
          else untilClose = true;
        }
        if (chunked !== undefined) {
          let ended = false;
          const fault = chunked.write(rest, {
            data: (piece) => (body += Buffer.from(piece).toString('latin1')),
            end: () => (ended = true),
          });
          if (fault !== undefined) finish('nonsense');
          else if (ended) whole();
          return;
        }
        body += rest.toString('latin1');
        left -= rest.length;
        if (left <= 0) whole();
      };
      connection.on('data', read).on('close', closed).on('end', closed);
      connection.write(request.raw ?? render(request, method), 'latin1');
    });
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }
}

function render({ path = '/', headers = [], body = '' }: ProbeRequest, method: string): string {
  const length = body === '' && method === 'GET' ? [] : [`Content-Length: ${body.length}`];
  return [`${method} ${path} HTTP/1.1`, 'Host: app.example', ...headers, ...length, '', body].join('\r\n');
}

/** One request on a connection of its own. */
export async function probe(port: number, request: ProbeRequest = {}): Promise<Probe> {
  const client = new ProbingClient(port);
  const result = await client.send(request);
  client.close();
  return result;
}

export interface Load {
  /** Requests a second, whether or not earlier ones have been answered. */
  readonly rate: number;
  /** Milliseconds. */
  readonly duration: number;
  request(number: number): ProbeRequest;
}

/** Sends requests at a steady rate over as many kept connections as it takes. */
export async function load(port: number, { rate, duration, request }: Load): Promise<Probe[]> {
  const idle: ProbingClient[] = [];
  const all: ProbingClient[] = [];
  const running: Promise<Probe>[] = [];
  const started = performance.now();
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const elapsed = Math.min(performance.now() - started, duration);
      while (running.length < (elapsed / 1000) * rate) {
        let client = idle.pop();
        if (client === undefined) all.push((client = new ProbingClient(port)));
        const used = client;
        running.push(used.send(request(running.length)).finally(() => idle.push(used)));
      }
      if (elapsed < duration) return;
      clearInterval(timer);
      resolve();
    }, 2);
  });
  const results = await Promise.all(running);
  for (const client of all) client.close();
  return results;
}

/** How many ended how: `whole 200`, `refused`. */
export function tally(probes: readonly Probe[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { outcome, status } of probes) {
    const name = outcome === 'whole' ? String(status) : status === 0 ? outcome : `${outcome} ${status}`;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}
