import { lstat, unlink } from 'node:fs/promises';
import { connect, type Server } from 'node:net';
import { type Address, showAddress } from '../options/index.ts';

/** Starts the server. @throws Error whose message is one line for the operator */
export async function listenOn(server: Server, at: Address): Promise<void> {
  try {
    await listen(server, at).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE' || at.kind !== 'unix' || !(await isLeftOver(at.path))) throw error;
      await unlink(at.path);
      await listen(server, at);
    });
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    throw new Error(`admin: cannot listen on ${showAddress(at)}: ${reasons[code] ?? message}`, { cause: error });
  }
}

const reasons: Record<string, string> = {
  EADDRINUSE: 'somebody else listens there already',
  EACCES: 'this user may not; ports below 1024 need net.ipv4.ip_unprivileged_port_start=0 or root',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'the host name is unknown',
};

function listen(server: Server, at: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(at.kind === 'unix' ? { path: at.path } : { host: at.host, port: at.port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** A socket file that a crash left behind: a socket, but nobody answers. */
async function isLeftOver(path: string): Promise<boolean> {
  if (!(await lstat(path)).isSocket()) return false;
  return new Promise((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(false);
    });
    probe.on('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
  });
}
