import { readdirSync, readFileSync, readlinkSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** PROC_SUPER_MAGIC, statfs(2). */
const procFileSystem = 0x9fa0;

/**
 * Reads the proc file system. What is not there (any more) is undefined: a process may end between two reads.
 * What may not be read is undefined too, and told. Reading is synchronous: the kernel makes the text in memory.
 */
export class ProcFolder {
  readonly #root: string;
  readonly #denied: (file: string) => void;

  /** @param denied is told the name of a file in a process's folder that may not be read, such as `io` */
  constructor(root: string, denied: (file: string) => void) {
    this.#root = root;
    this.#denied = denied;
  }

  text(...parts: (string | number)[]): string | undefined {
    return this.#read(parts, (path) => readFileSync(path, 'utf8'));
  }

  link(...parts: (string | number)[]): string | undefined {
    return this.#read(parts, (path) => readlinkSync(path));
  }

  names(...parts: (string | number)[]): string[] {
    return this.#read(parts, (path) => readdirSync(path)) ?? [];
  }

  /** Since Linux 6.2 the size of the folder is the number of open files; elsewhere they are counted. */
  openFiles(pid: number): number | undefined {
    return this.#read([pid, 'fd'], (path) => {
      const size = statfsSync(path).type === procFileSystem ? statSync(path).size : 0;
      return size || readdirSync(path).length;
    });
  }

  pids(): number[] {
    return this.names()
      .filter((name) => /^\d{1,10}$/.test(name))
      .map(Number);
  }

  #read<T>(parts: readonly (string | number)[], read: (path: string) => T): T | undefined {
    try {
      return read(join(this.#root, ...parts.map(String)));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EACCES' || code === 'EPERM') this.#denied(String(parts[1] ?? parts[0]));
      return undefined;
    }
  }
}
