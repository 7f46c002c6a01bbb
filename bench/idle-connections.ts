import { connect, type Socket } from 'node:net';

/** Connections that are open and say nothing. */
export class IdleConnections {
  readonly #sockets: readonly Socket[];

  private constructor(sockets: readonly Socket[]) {
    this.#sockets = sockets;
  }

  /** Resolves when all are connected. */
  static async open(origin: string, count: number): Promise<IdleConnections> {
    const { hostname, port } = new URL(origin);
    const sockets = await Promise.all(
      Array.from(
        { length: count },
        () =>
          new Promise<Socket>((resolve, reject) => {
            const socket = connect(Number(port), hostname, () => resolve(socket));
            socket.on('error', reject);
          }),
      ),
    );
    return new IdleConnections(sockets);
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
