import net from 'node:net';

/** One connection of a {@link ScriptedUpstream}, as its script sees it. */
export class ScriptedConnection {
  readonly socket: net.Socket;
  /** Every byte received so far. */
  received = Buffer.alloc(0);
  /** Resolves when the other side has ended or reset the connection, or this side has closed it. */
  readonly closed: Promise<void>;
  /** The other side has sent FIN or RST. */
  ended = false;
  #consumed = 0;
  #wake: () => void = () => {};

  constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
      this.#wake();
    });
    // A reset is an end too; `close` follows.
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => {
      const ended = () => {
        this.ended = true;
        this.#wake();
        resolve();
      };
      socket.once('end', ended);
      socket.once('close', ended);
    });
  }

  /** Everything received so far, a byte a character. */
  get text(): string {
    return this.received.toString('latin1');
  }

  /** Waits for the next request head, and answers it with its empty line. */
  async head(): Promise<string> {
    return this.until('\r\n\r\n');
  }

  /** Waits for `mark` among what was not consumed yet, and answers everything up to its end. */
  async until(mark: string): Promise<string> {
    for (;;) {
      const at = this.received.indexOf(mark, this.#consumed, 'latin1');
      if (at >= 0) return this.#consume(at + mark.length - this.#consumed);
      await this.#more(`«${mark}»`);
    }
  }

  /** Waits for the next `count` bytes. */
  async read(count: number): Promise<string> {
    while (this.received.length - this.#consumed < count) await this.#more(`${count} bytes`);
    return this.#consume(count);
  }

  /** Resolves when the bytes have been handed to the kernel. Characters are bytes. */
  write(text: string | Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      const done = () => resolve();
      if (typeof text === 'string') this.socket.write(text, 'latin1', done);
      else this.socket.write(text, done);
    });
  }

  /** Sends FIN; bytes may still arrive. */
  fin(): void {
    this.socket.end();
  }

  /** Sends RST. */
  rst(): void {
    this.socket.resetAndDestroy();
  }

  wait(milliseconds: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, milliseconds));
  }

  /** Reads nothing more, so that the sender feels it. */
  stopReading(): void {
    this.socket.pause();
  }

  #consume(count: number): string {
    const text = this.received.toString('latin1', this.#consumed, this.#consumed + count);
    this.#consumed += count;
    return text;
  }

  async #more(what: string): Promise<void> {
    if (this.ended) throw new ScriptOver(`the connection ended before ${what} came`);
    await new Promise<void>((resolve) => (this.#wake = resolve));
  }
}

/** The proxy closed the connection before the script was through. That is often what a test wants, so it fails nothing. */
class ScriptOver extends Error {}

/** What one connection does. The connection stays open when it returns. */
export type Script = (connection: ScriptedConnection) => Promise<void> | void;

export interface ScriptedUpstreamOptions {
  /** A unix socket instead of a port. */
  path?: string;
  /** Default: 127.0.0.1. */
  host?: string;
  port?: number;
}

/** A raw TCP server whose every connection follows a script: what no decent HTTP server would do. */
export interface ScriptedUpstream {
  readonly port: number;
  /** `host:port` or `unix:/path`. */
  readonly address: string;
  /** In the order of arrival, closed ones too. */
  readonly connections: readonly ScriptedConnection[];
  /** Waits for the connection of this number, from 0. */
  connection(index: number): Promise<ScriptedConnection>;
  /** Errors thrown by scripts; a test may expect it to be empty. */
  readonly errors: readonly unknown[];
  close(): Promise<void>;
}

/**
 * Starts one.
 * @param scripts one a connection; the last one serves all further connections
 */
export async function scriptedUpstream(
  scripts: Script | Script[],
  options: ScriptedUpstreamOptions = {},
): Promise<ScriptedUpstream> {
  const list = typeof scripts === 'function' ? [scripts] : scripts;
  const connections: ScriptedConnection[] = [];
  const errors: unknown[] = [];
  const waiting: { index: number; resolve: (connection: ScriptedConnection) => void }[] = [];
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const connection = new ScriptedConnection(socket);
    const script = list[Math.min(connections.length, list.length - 1)]!;
    connections.push(connection);
    for (const { index, resolve } of waiting) if (index === connections.length - 1) resolve(connection);
    void (async () => {
      try {
        await script(connection);
      } catch (error) {
        if (!(error instanceof ScriptOver)) errors.push(error);
      }
    })();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(
      options.path === undefined
        ? { host: options.host ?? '127.0.0.1', port: options.port ?? 0 }
        : { path: options.path },
      resolve,
    );
  });
  const at = server.address();
  const port = at !== null && typeof at === 'object' ? at.port : 0;
  return {
    port,
    address: typeof at === 'string' ? `unix:${at}` : `127.0.0.1:${port}`,
    connections,
    connection: (index) => {
      const there = connections[index];
      if (there !== undefined) return Promise.resolve(there);
      return new Promise((resolve) => waiting.push({ index, resolve }));
    },
    errors,
    close: () =>
      new Promise((resolve) => {
        for (const { socket } of connections) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

/** A response with its length. */
export function response(status: number, body = '', headers: readonly string[] = []): string {
  return [`HTTP/1.1 ${status} Status`, `Content-Length: ${body.length}`, ...headers, '', body].join('\r\n');
}

/** Answers every request head the same, on and on. For requests without a body. */
export function answering(text: string): Script {
  return async (connection) => {
    for (;;) {
      await connection.head();
      await connection.write(text);
    }
  };
}
