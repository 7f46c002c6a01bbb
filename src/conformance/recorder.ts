import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { readMessageContent, readMessageHead, type MessageHead } from './read-message.ts';

/** A request as the app's parser understood it. */
export interface RecordedRequest extends MessageHead {
  /** Number of the connection it came on. */
  readonly connection: number;
  body: Buffer;
  /** The message came to its end. */
  complete: boolean;
}

export interface RecorderOptions {
  readonly host?: string;
  /** 0 takes any. */
  readonly port?: number;
}

/**
 * The app of the conformance suite: reads requests with a parser of its own, so that what a proxy sends is judged by
 * somebody else's reading. It answers each complete request with 200.
 */
export class Recorder {
  readonly requests: RecordedRequest[] = [];
  /** What came that no request could be made of: `reason: the bytes`. The connection is closed over it. */
  readonly unreadable: string[] = [];
  bytes = 0;
  /** Answers to a complete request; the default is a short 200. */
  respond: (request: RecordedRequest, socket: Socket) => void = ({ method }, socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-App: recorder\r\n\r\n${method === 'HEAD' ? '' : 'ok'}`);
  };
  /** Sees every byte; connections are numbered from 1. */
  tap: (connection: number, chunk: Buffer) => void = () => {};
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #connections = 0;

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket) => this.#connected(socket));
  }

  static async start({ host = '127.0.0.1', port = 0 }: RecorderOptions = {}): Promise<Recorder> {
    const server = createServer({ noDelay: true });
    const recorder = new Recorder(server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, resolve);
    });
    return recorder;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  reset(): void {
    this.requests.length = 0;
    this.unreadable.length = 0;
    this.bytes = 0;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #connected(socket: Socket): void {
    const connection = ++this.#connections;
    this.#sockets.add(socket);
    let buffered: Buffer = Buffer.alloc(0);
    let current: RecordedRequest | undefined;
    const refuse = (reason: string, bytes: Buffer | string) => {
      this.unreadable.push(`${reason}: ${bytes.toString('latin1')}`);
      socket.destroy();
    };
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      this.bytes += chunk.length;
      this.tap(connection, chunk);
      buffered = Buffer.concat([buffered, chunk]);
      while (!socket.destroyed) {
        if (current === undefined) {
          const end = buffered.indexOf('\r\n\r\n');
          if (end < 0) return;
          const head = readMessageHead(buffered.toString('latin1', 0, end + 2));
          if (typeof head === 'string') return refuse(head, buffered.toString('latin1', 0, end + 2));
          buffered = buffered.subarray(end + 4);
          current = { ...head, connection, body: Buffer.alloc(0), complete: false };
          this.requests.push(current);
        }
        const content = readMessageContent(current, buffered);
        current.body = content.body;
        if (content.invalid) return refuse('chunked body', buffered);
        if (content.rest === undefined) return;
        current.complete = true;
        buffered = content.rest;
        this.respond(current, socket);
        if (
          current.minor === 0 ||
          current.fields.some(([name, value]) => name === 'connection' && /\bclose\b/i.test(value))
        )
          socket.end();
        current = undefined;
      }
    });
  }
}
