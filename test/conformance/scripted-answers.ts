import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** An app that answers every request head with given bytes, and says when its connections were used again. */
export class ScriptedAnswers {
  answer: Buffer = Buffer.alloc(0);
  then: string = 'open';
  /** Request heads that came, by connection. */
  readonly connections: { heads: number; closed: boolean }[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket) => this.#connected(socket));
  }

  static async start(): Promise<ScriptedAnswers> {
    const server = createServer();
    const app = new ScriptedAnswers(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return app;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #connected(socket: Socket): void {
    const record = { heads: 0, closed: false };
    this.connections.push(record);
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => {
      record.closed = true;
      this.#sockets.delete(socket);
    });
    let received = '';
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
      for (let end = received.indexOf('\r\n\r\n'); end >= 0; end = received.indexOf('\r\n\r\n')) {
        const canary = received.startsWith('GET /canary ');
        received = received.slice(end + 4);
        record.heads++;
        if (canary) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ncanary');
        else this.#play(socket);
      }
    });
  }

  #play(socket: Socket): void {
    socket.write(this.answer);
    if (this.then === 'FIN') socket.end();
    // The bytes must have left before the reset overtakes them.
    else if (this.then === 'RST') setTimeout(() => socket.resetAndDestroy(), 30);
  }
}
