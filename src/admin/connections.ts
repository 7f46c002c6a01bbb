import type { Socket } from 'node:net';

/**
 * The open connections of the admin, at most so many. When one too many comes, the one that has been idle for longest
 * gives way: whoever hoards idle connections must not keep the kubelet's probes out.
 */
export class Connections {
  readonly #most: number;
  /** Number of running requests of each, in the order in which they became idle. */
  readonly #running = new Map<Socket, number>();

  constructor(most: number) {
    this.#most = most;
  }

  add(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    if (this.#running.size >= this.#most && !this.#evict()) return void socket.destroy();
    this.#running.set(socket, 0);
    socket.on('close', () => this.#running.delete(socket));
  }

  begin(socket: Socket): void {
    const running = this.#running.get(socket);
    if (running !== undefined) this.#running.set(socket, running + 1);
  }

  finish(socket: Socket): void {
    const running = this.#running.get(socket);
    if (running === undefined) return;
    this.#running.delete(socket);
    this.#running.set(socket, running - 1);
  }

  closeIdle(): void {
    for (const [socket, running] of this.#running) if (running === 0) socket.destroy();
  }

  closeAll(): void {
    for (const socket of this.#running.keys()) socket.destroy();
  }

  #evict(): boolean {
    for (const [socket, running] of this.#running) {
      if (running > 0) continue;
      this.#running.delete(socket);
      socket.destroy();
      return true;
    }
    return false;
  }
}
