import { closeSync, constants, fstatSync, openSync, statSync, type Stats } from 'node:fs';

/** Something that lines can be written to without ever waiting for its reader, where the system allows that. */
export interface OpenTarget {
  readonly fd: number;
  /** Opened here, to be closed by who uses it. Standard output and error are not. */
  readonly owned: boolean;
  /** Bytes that are written at once and whole, even when others write to the same pipe (POSIX `PIPE_BUF`). */
  readonly atomic: number | undefined;
  /** A pipe that refuses what does not fit (EAGAIN) instead of waiting for its reader. */
  readonly nonblocking: boolean;
  /** Tells the file from one that takes its place. */
  readonly identity: string;
}

const pipeBuf = 4096;
const { O_APPEND, O_CREAT, O_NONBLOCK, O_NOCTTY, O_RDWR, O_WRONLY } = constants;

/**
 * Opens a file for appending. A named pipe is opened for reading as well, which neither waits for a reader nor fails
 * without one: its lines wait in the pipe.
 * @throws Error of the system: EACCES, ENOENT …
 */
export function openFile(path: string): OpenTarget {
  const isPipe = statOf(path)?.isFIFO() === true;
  const access = isPipe ? O_RDWR : O_WRONLY | O_CREAT | O_APPEND;
  return target(openSync(path, access | O_NONBLOCK | O_NOCTTY, 0o644), { owned: true, nonblocking: isPipe });
}

/**
 * Standard output (1) or error (2). Writing to a pipe that is full would hold up one of the few threads that also resolve
 * names and read files, so it is opened once more, for writing without waiting; the original stays as others know it.
 */
export function openStandard(fd: 1 | 2): OpenTarget {
  const stats = fstatSync(fd);
  // A socket (journald, a parent that is Node) cannot be opened anew, but Node's own stream for it sets it to not waiting.
  if (stats.isSocket()) void (fd === 1 ? process.stdout : process.stderr).writable;
  if (stats.isFIFO()) {
    try {
      const opened = openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK);
      return target(opened, { owned: true, nonblocking: true });
    } catch {
      // Not Linux, not our pipe, or nobody reads it: then as it is.
    }
  }
  return target(fd, { owned: false, nonblocking: false });
}

/** What {@link OpenTarget.identity} would be now; undefined when there is no such file. */
export function identityOf(stats: Stats): string {
  return `${stats.dev}:${stats.ino}`;
}

function target(fd: number, how: { owned: boolean; nonblocking: boolean }): OpenTarget {
  try {
    const stats = fstatSync(fd);
    return { fd, ...how, atomic: stats.isFIFO() ? pipeBuf : undefined, identity: identityOf(stats) };
  } catch (error) {
    if (how.owned) closeSync(fd);
    throw error;
  }
}

function statOf(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}
