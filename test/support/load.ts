import { Agent, request, type ClientRequest } from 'node:http';
import { connect, type ClientHttp2Session } from 'node:http2';
import { onTestFinished } from 'vitest';

/** How the requests of a {@link Load} ended. */
export interface Outcome {
  /** Number of answers by status. */
  readonly statuses: Record<number, number>;
  /** Requests of which something had been sent and that had no whole answer, as text. */
  readonly failures: string[];
  /** Connections that were refused before a byte was sent, which is nobody's loss when there are others to go to. */
  refusedConnections: number;
  /** HTTP/2 streams that nobody has looked at, most of them held back by the client itself after a GOAWAY; they are sent again. */
  refusedStreams: number;
  /** Answers after which the connection had to be made anew because the server said so. */
  toldToGo: number;
}

export interface LoadOptions {
  readonly port: number;
  /** Keep-alive HTTP/1 connections. */
  readonly http1: number;
  /** HTTP/2 connections. */
  readonly http2: number;
  /** Milliseconds between the end of a request and the next one of its connection. */
  readonly pause?: number;
  /** Target of the n-th request. */
  readonly path?: (count: number) => string;
  readonly onAnswer?: (headers: Readonly<Record<string, unknown>>, body: string) => void;
}

/** Clients that go on asking until they are stopped, or until nobody accepts their connections any more. */
export class Load {
  readonly outcome: Outcome = { statuses: {}, failures: [], refusedConnections: 0, refusedStreams: 0, toldToGo: 0 };
  readonly #options: LoadOptions;
  readonly #clients: Promise<void>[] = [];
  #running = true;
  #count = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    for (let at = 0; at < options.http1; at++) this.#clients.push(this.#http1());
    for (let at = 0; at < options.http2; at++) this.#clients.push(this.#http2());
    onTestFinished(async () => {
      await this.stop();
    });
  }

  get answered(): number {
    return Object.values(this.outcome.statuses).reduce((sum, count) => sum + count, 0);
  }

  /** Resolves when every request that was begun has ended. */
  async stop(): Promise<Outcome> {
    this.#running = false;
    return this.ended();
  }

  /** The same, without stopping. */
  async ended(): Promise<Outcome> {
    await Promise.all(this.#clients);
    return this.outcome;
  }

  #path(): string {
    return this.#options.path?.(this.#count++) ?? '/';
  }

  #answer(status: number, headers: Readonly<Record<string, unknown>>, body: string): void {
    this.outcome.statuses[status] = (this.outcome.statuses[status] ?? 0) + 1;
    this.#options.onAnswer?.(headers, body);
  }

  #rest(): Promise<void> {
    const { pause = 0 } = this.#options;
    return new Promise((resolve) => setTimeout(resolve, pause * (0.5 + Math.random())));
  }

  async #http1(): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    await this.#rest();
    while (this.#running) {
      const refused = await this.#ask(agent);
      if (refused) break;
      await this.#rest();
    }
    agent.destroy();
  }

  #ask(agent: Agent): Promise<boolean> {
    return new Promise((resolve) => {
      const path = this.#path();
      const asked: ClientRequest = request({ port: this.#options.port, path, agent }, (response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => (body += chunk.toString()));
        response.on('error', (error) => {
          this.outcome.failures.push(`HTTP/1 ${path} within the answer: ${error.message}`);
          resolve(false);
        });
        response.on('end', () => {
          if (response.headers.connection === 'close') this.outcome.toldToGo++;
          this.#answer(response.statusCode!, response.headers, body);
          resolve(false);
        });
      });
      asked.on('error', (error: NodeJS.ErrnoException) => {
        const refused = error.code === 'ECONNREFUSED';
        if (refused) this.outcome.refusedConnections++;
        else this.outcome.failures.push(`HTTP/1 ${path} reused ${asked.reusedSocket}: ${error.message}`);
        resolve(refused);
      });
      asked.end();
    });
  }

  async #http2(): Promise<void> {
    await this.#rest();
    while (this.#running) {
      const session = connect(`http://127.0.0.1:${this.#options.port}`);
      const connected = await new Promise<boolean>((resolve) => {
        session.on('connect', () => resolve(true));
        session.on('error', () => resolve(false));
      });
      if (!connected) {
        this.outcome.refusedConnections++;
        break;
      }
      session.on('goaway', () => this.outcome.toldToGo++);
      while (this.#running && !session.closed && !session.destroyed) {
        await this.#stream(session);
        await this.#rest();
      }
      session.close();
    }
  }

  #stream(session: ClientHttp2Session): Promise<void> {
    return new Promise((resolve) => {
      const path = this.#path();
      let status = 0;
      let headers: Readonly<Record<string, unknown>> = {};
      let body = '';
      let whole = false;
      const stream = session.request({ ':path': path });
      stream.on('response', (fields) => {
        status = Number(fields[':status']);
        headers = fields;
      });
      stream.on('data', (chunk: Buffer) => (body += chunk.toString()));
      stream.on('end', () => (whole = true));
      stream.on('error', () => {});
      stream.on('close', () => {
        if (whole && status > 0 && stream.rstCode === 0) this.#answer(status, headers, body);
        else if (stream.rstCode === 7) this.outcome.refusedStreams++;
        else this.outcome.failures.push(`HTTP/2 ${path}: code ${stream.rstCode}, status ${status}`);
        resolve();
      });
    });
  }
}
