import { createHash } from 'node:crypto';
import { unlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** Longest path that a socket can have on Linux, in bytes, with its NUL. */
const longestSocketPath = 107;

/** Milliseconds that whoever holds the lock has to answer. */
const patience = 2000;

export interface StateLock {
  release(): Promise<void>;
}

/**
 * Keeps a second Portico from using a folder: two that ship the same files would ship all twice and overwrite each other's
 * checkpoint. The lock is a socket that its owner listens on. A process that dies lets go of it, however it dies, and it does not
 * matter that in every container the process has the same id.
 * @throws Error of one line when the folder is in use, or cannot be used
 */
export async function lockState(folder: string): Promise<StateLock> {
  const path = socketPath(folder);
  const name = `${process.pid} ${performance.timeOrigin}`;
  for (let tries = 0; tries < 5; tries++) {
    const server = await listen(path, name);
    if (server !== undefined) {
      // Two that found a socket without an owner may both have replaced it; the later one has it.
      if ((await ask(path)) === name) return { release: () => release(server) };
      server.close();
    }
    const owner = await ask(path);
    if (owner !== undefined) {
      throw new Error(`the state folder ${folder} is in use by another portico logs (process ${owner.split(' ')[0]})`);
    }
    await unlink(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT')
        throw new Error(`cannot lock the state folder ${folder}: ${error.message}`, { cause: error });
    });
  }
  throw new Error(`cannot lock the state folder ${folder}: others try the same`);
}

/** A path that is too long for a socket has one in the folder for temporary files instead. */
function socketPath(folder: string): string {
  const path = join(folder, 'lock');
  if (Buffer.byteLength(path) <= longestSocketPath) return path;
  const hash = createHash('sha256').update(resolve(folder)).digest('hex').slice(0, 16);
  return join(tmpdir(), `portico-logs-${hash}.lock`);
}

/** undefined when somebody has the path already. */
function listen(path: string, name: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.end(name);
    });
    server.unref();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(new Error(`cannot lock the state folder: ${error.message}`, { cause: error }));
    });
    server.listen(path, () => resolve(server));
  });
}

/** What the owner says; undefined when there is none. */
function ask(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    let said = '';
    const socket = connect(path);
    socket.setTimeout(patience, () => {
      // It is there, and does not answer: stopped, or very busy.
      socket.destroy();
      resolve(said === '' ? 'unknown' : said);
    });
    socket.on('data', (bytes) => (said += bytes.toString()));
    socket.once('error', () => resolve(undefined));
    socket.once('close', () => resolve(said === '' ? undefined : said));
  });
}

function release(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
