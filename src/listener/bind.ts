import { rmSync, statSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { showAddress, type Address } from '../options/index.ts';

/** A socket that others have as well. */
export interface SharedSocket {
  /** What `server.listen` takes. */
  readonly handle: object;
  /** The address it really has. */
  readonly address: Address;
  /**
   * Resolves when nobody keeps it for others, so that whoever closes it last closes it for all. Answers whether all others
   * who had it have let go before.
   */
  letGo(): Promise<boolean>;
}

/** Where listeners get their sockets from when they do not make them: `name` is that of the listener. */
export type OpenSocket = (name: string, at: Address) => Promise<SharedSocket>;

/**
 * Makes a server listen on a socket of others.
 * @throws Error with one line that says who cannot listen where, and why
 */
export async function bindShared(server: Server, at: Address, name: string, open: OpenSocket): Promise<SharedSocket> {
  try {
    const socket = await open(name, at);
    await listenOn(server, () => server.listen(socket.handle, backlog));
    return socket;
  } catch (error) {
    throw cannot(name, at, error);
  }
}

/**
 * Makes a server listen; resolves with the address it really has.
 * @throws Error with one line that says who cannot listen where, and why
 */
export async function bind(server: Server, at: Address, name: string): Promise<Address> {
  try {
    await listen(server, at);
  } catch (error) {
    if (at.kind !== 'unix' || codeOf(error) !== 'EADDRINUSE' || !(await isStale(at.path)))
      throw cannot(name, at, error);
    rmSync(at.path, { force: true });
    try {
      await listen(server, at);
    } catch (again) {
      throw cannot(name, at, again);
    }
  }
  const bound = server.address();
  return at.kind === 'unix' || bound === null || typeof bound === 'string'
    ? at
    : { kind: 'tcp', host: at.host, port: bound.port };
}

/** Connections that may wait to be accepted. */
const backlog = 1024;

/**
 * Lets no more than one connection wait to be accepted (Linux: one more than the backlog). Whoever comes beyond it gets no
 * answer, and asks again a second later. For good: there is no way to tell Node that a server listens already.
 */
export function letFewWait(server: Server): void {
  // Not of the documented interface; without it the queue stays as it is, which is no harm.
  const { _handle: handle } = server as unknown as { _handle?: { listen?(backlog: number): number } | null };
  handle?.listen?.(0);
}

function listen(server: Server, at: Address): Promise<void> {
  return listenOn(server, () =>
    server.listen(at.kind === 'unix' ? { path: at.path } : { host: at.host, port: at.port, backlog }),
  );
}

function listenOn(server: Server, begin: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (act: () => void) => {
      server.off('error', failed);
      server.off('listening', listening);
      act();
    };
    const failed = (error: Error) => done(() => reject(error));
    const listening = () => done(resolve);
    server.on('error', failed);
    server.on('listening', listening);
    begin();
  });
}

/** A socket file that nobody listens on, left by a process that was killed. Anything else that lies there stays. */
export function isStale(path: string): Promise<boolean> {
  if (!(statSync(path, { throwIfNoEntry: false })?.isSocket() ?? false)) return Promise.resolve(false);
  return new Promise((resolve) => {
    const probe = connect({ path });
    probe.on('connect', () => {
      probe.destroy();
      resolve(false);
    });
    probe.on('error', (error) => resolve(codeOf(error) === 'ECONNREFUSED'));
  });
}

function cannot(name: string, at: Address, error: unknown): Error {
  const why = reasons[codeOf(error)] ?? (error instanceof Error ? error.message : String(error));
  return new Error(`listener ${name}: cannot listen on ${showAddress(at)}: ${why}`, { cause: error });
}

const reasons: Record<string, string> = {
  EADDRINUSE: 'address already in use',
  EACCES: 'permission denied',
  EADDRNOTAVAIL: 'this host has no such address',
  ENOTFOUND: 'no such host',
  ENOENT: 'no such directory',
  EAFNOSUPPORT: 'this host has no IPv6',
};

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}
