/** The listening sockets of all workers, made and kept by the primary, so that they outlive any worker. */
import { lookup } from 'node:dns/promises';
import { rmSync } from 'node:fs';
import * as net from 'node:net';
import { getSystemErrorName } from 'node:util';
import { isStale } from '../listener/bind.ts';
import type { Address } from '../options/index.ts';

/** What libuv has of a socket that is bound and does not listen yet. */
export interface SocketHandle {
  close(): void;
  /** Negative when the socket could not be bound, which libuv tells late. */
  getsockname?(out: { port?: number }): number;
}

/**
 * What node:cluster makes its sockets with. Unlike a server, it does not accept: in the primary nobody would serve.
 * node:cluster itself will not do: its primary closes a socket after the last worker has, and resets who came in between.
 */
const createServerHandle = (
  net as unknown as {
    readonly _createServerHandle: (address: string, port: number, type: 4 | 6 | -1) => SocketHandle | number;
  }
)._createServerHandle;

interface SharedSocket {
  readonly handle: SocketHandle;
  /** The address it really has. */
  readonly address: Address;
}

export class SharedSockets<User> {
  readonly #sockets = new Map<string, { readonly made: Promise<SharedSocket>; readonly users: Set<User> }>();

  /**
   * @param key the same for what shall be the same socket
   * @throws Error with the system's code for an address that cannot be had
   */
  async open(user: User, key: string, at: Address): Promise<SharedSocket> {
    let socket = this.#sockets.get(key);
    if (socket === undefined) {
      socket = { made: make(at), users: new Set() };
      this.#sockets.set(key, socket);
    }
    socket.users.add(user);
    try {
      return await socket.made;
    } catch (error) {
      this.#sockets.delete(key);
      throw error;
    }
  }

  /**
   * When the last user has let go, only those who had it have it: the last of them to close its own closes the socket,
   * and can see to it right before that nobody waits.
   * @returns whether it was the last user
   */
  async letGo(user: User, key: string): Promise<boolean> {
    const socket = this.#sockets.get(key);
    if (socket === undefined || !socket.users.delete(user) || socket.users.size > 0) return false;
    this.#sockets.delete(key);
    (await socket.made).handle.close();
    return true;
  }

  /** Somebody has ended. What it had stays for who takes its place: who connects meanwhile waits. */
  forget(user: User): void {
    for (const { users } of this.#sockets.values()) users.delete(user);
  }

  closeAll(): void {
    for (const { made } of this.#sockets.values())
      void made.then(
        ({ handle }) => handle.close(),
        () => {},
      );
    this.#sockets.clear();
  }
}

async function make(at: Address): Promise<SharedSocket> {
  if (at.kind === 'unix') return { handle: await makeUnix(at.path), address: at };
  const { address, family } =
    net.isIP(at.host) === 0 ? await lookup(at.host) : { address: at.host, family: net.isIP(at.host) };
  const handle = bound(createServerHandle(address, at.port, family === 6 ? 6 : 4));
  const name: { port?: number } = {};
  const fault = handle.getsockname?.(name) ?? 0;
  if (fault < 0) {
    handle.close();
    throw systemError(fault);
  }
  return { handle, address: { ...at, port: name.port ?? at.port } };
}

async function makeUnix(path: string): Promise<SocketHandle> {
  const handle = createServerHandle(path, -1, -1);
  if (typeof handle !== 'number' || getSystemErrorName(handle) !== 'EADDRINUSE' || !(await isStale(path)))
    return bound(handle);
  rmSync(path, { force: true });
  return bound(createServerHandle(path, -1, -1));
}

function bound(handle: SocketHandle | number): SocketHandle {
  if (typeof handle === 'number') throw systemError(handle);
  return handle;
}

function systemError(number: number): Error {
  const code = getSystemErrorName(number);
  return Object.assign(new Error(code), { code });
}
