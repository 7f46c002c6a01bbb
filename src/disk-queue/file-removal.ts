import type { QueueFiles } from './queue-files.ts';
import type { QueueObserver } from './queue-observer.ts';

/** Removes files, aside of what else happens. One that cannot be removed is told of, and stays. */
export class FileRemoval {
  readonly #files: QueueFiles;
  readonly #observer: QueueObserver;
  readonly #running = new Set<Promise<void>>();

  constructor(files: QueueFiles, observer: QueueObserver) {
    this.#files = files;
    this.#observer = observer;
  }

  /** @param left nobody has the file open any more */
  remove(path: string, left: Promise<void>): Promise<void> {
    const removal = left
      .then(() => this.#files.remove(path))
      .catch((error: NodeJS.ErrnoException) => this.#observer.failed(error))
      .finally(() => this.#running.delete(removal));
    this.#running.add(removal);
    return removal;
  }

  async end(): Promise<void> {
    await Promise.all(this.#running);
  }
}
