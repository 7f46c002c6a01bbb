import { watch, type FSWatcher } from 'node:fs';
import { join } from 'node:path';

/** Folders that are watched at most; each takes a watch of the kernel, of which a user has few. */
const mostFolders = 256;

/**
 * Tells of changes in folders where the kernel does so. Only a hint: on network file systems nothing is told of what others
 * write, and a kernel that is out of watches tells nothing at all.
 */
export class DirectoryWatch {
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #changed: (path: string | undefined, kind: 'change' | 'rename') => void;

  /** @param changed told the path of what has changed; undefined when it is not known. Must not throw */
  constructor(changed: (path: string | undefined, kind: 'change' | 'rename') => void) {
    this.#changed = changed;
  }

  /** From now on these folders. */
  watch(folders: readonly string[]): void {
    const wanted = new Set(folders.slice(0, mostFolders));
    for (const [folder, watcher] of this.#watchers) {
      if (wanted.has(folder)) continue;
      this.#watchers.delete(folder);
      watcher.close();
    }
    for (const folder of wanted) if (!this.#watchers.has(folder)) this.#begin(folder);
  }

  close(): void {
    this.watch([]);
  }

  #begin(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, (kind, name) => {
        this.#changed(name === null ? undefined : join(folder, name), kind);
        // A folder that was removed or moved tells of itself by its own name, and of nothing afterwards.
        if (kind === 'rename' && name !== null && folder.endsWith(`/${name}`)) this.#forget(folder, watcher);
      });
      watcher.on('error', () => this.#forget(folder, watcher));
      this.#watchers.set(folder, watcher);
    } catch {
      // No watches left, or no folder: polling sees everything, a little later.
    }
  }

  #forget(folder: string, watcher: FSWatcher): void {
    watcher.close();
    if (this.#watchers.get(folder) === watcher) this.#watchers.delete(folder);
  }
}
