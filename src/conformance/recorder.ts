import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A request as the app's parser understood it, and the bytes it was made of. */
export interface RecordedRequest {
  readonly head: string;
  readonly method: string;
  readonly target: string;
  body: Buffer;
  /** The message came to its end. */
  complete: boolean;
}

/**
 * The app of the conformance suite: keeps every byte, and reads requests with a parser of its own, so that what Portico
 * sends is judged by somebody else's reading. It answers each complete request with 200.
 */
export class Recorder {
  readonly requests: RecordedRequest[] = [];
  /** What came that no request could be made of. */
  readonly unreadable: string[] = [];
  bytes = 0;
  /** Answers to a complete request; the default is a short 200. */
  respond: (request: RecordedRequest, socket: Socket) => void = ({ method }, socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-App: recorder\r\n\r\n${method === 'HEAD' ? '' : 'ok'}`);
  };
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket) => this.#connected(socket));
  }

  static async start(): Promise<Recorder> {
    const server = createServer();
    const recorder = new Recorder(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
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
    this.#sockets.add(socket);
    let buffered: Buffer = Buffer.alloc(0);
    let current: RecordedRequest | undefined;
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      this.bytes += chunk.length;
      buffered = Buffer.concat([buffered, chunk]);
      for (;;) {
        if (current === undefined) {
          const end = buffered.indexOf('\r\n\r\n');
          if (end < 0) return;
          const head = buffered.toString('latin1', 0, end + 2);
          buffered = buffered.subarray(end + 4);
          const line = /^([A-Z]+) (\S+) HTTP\/1\.1\r\n/.exec(head);
          if (line === null) {
            this.unreadable.push(head);
            socket.destroy();
            return;
          }
          current = { head, method: line[1]!, target: line[2]!, body: Buffer.alloc(0), complete: false };
          this.requests.push(current);
        }
        const content = readContent(current.head, buffered);
        current.body = content.body;
        if (content.rest === undefined) {
          if (content.invalid) {
            this.unreadable.push(buffered.toString('latin1'));
            socket.destroy();
          }
          return;
        }
        current.complete = true;
        buffered = content.rest;
        this.respond(current, socket);
        current = undefined;
      }
    });
  }
}

/** Content of a message whose head is known; `rest` is undefined while it is incomplete. */
function readContent(head: string, bytes: Buffer): { body: Buffer; rest: Buffer | undefined; invalid: boolean } {
  const lengths = [...head.matchAll(/^content-length: *(.*)\r$/gim)].map((match) => match[1]!);
  const codings = [...head.matchAll(/^transfer-encoding: *(.*)\r$/gim)].map((match) => match[1]!);
  if (lengths.length + codings.length > 1) return { body: bytes, rest: undefined, invalid: true };
  if (codings.length === 1) return codings[0] === 'chunked' ? readChunks(bytes) : { body: bytes, rest: undefined, invalid: true };
  if (lengths.length === 0) return { body: Buffer.alloc(0), rest: bytes, invalid: false };
  if (!/^\d+$/.test(lengths[0]!)) return { body: bytes, rest: undefined, invalid: true };
  const length = Number(lengths[0]);
  return { body: bytes.subarray(0, length), rest: bytes.length < length ? undefined : bytes.subarray(length), invalid: false };
}

function readChunks(bytes: Buffer): { body: Buffer; rest: Buffer | undefined; invalid: boolean } {
  const parts: Buffer[] = [];
  let at = 0;
  const result = (rest: Buffer | undefined, invalid = false) => ({ body: Buffer.concat(parts), rest, invalid });
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return result(undefined);
    const line = bytes.toString('latin1', at, lineEnd);
    if (!/^[0-9a-f]+$/.test(line)) return result(undefined, true);
    const size = Number.parseInt(line, 16);
    at = lineEnd + 2;
    if (size === 0) {
      const trailersEnd = bytes.toString('latin1', at).startsWith('\r\n') ? at - 2 : bytes.indexOf('\r\n\r\n', at);
      return trailersEnd < 0 || bytes.length < trailersEnd + 4 ? result(undefined) : result(bytes.subarray(trailersEnd + 4));
    }
    parts.push(bytes.subarray(at, Math.min(bytes.length, at + size)));
    if (bytes.length < at + size + 2) return result(undefined);
    if (bytes.toString('latin1', at + size, at + size + 2) !== '\r\n') return result(undefined, true);
    at += size + 2;
  }
}
