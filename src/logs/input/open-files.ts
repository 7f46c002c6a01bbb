/** A file that can let go of its descriptor and get it back. */
export interface Openable {
  /** Closing it now loses nothing. */
  readonly mayClose: boolean;
  letGo(): Promise<void>;
}

/** Bounds how many files are open: the one that was not used for longest, and may be closed, is. */
export class OpenFiles {
  /** In the order of their last use. */
  readonly #open = new Set<Openable>();
  most: number;

  constructor(most: number) {
    this.most = most;
  }

  get size(): number {
    return this.#open.size;
  }

  /** One more may be opened without closing another. */
  get room(): boolean {
    return this.#open.size < this.most;
  }

  used(file: Openable): void {
    if (this.#open.delete(file)) this.#open.add(file);
  }

  async opened(file: Openable): Promise<void> {
    this.#open.delete(file);
    this.#open.add(file);
    if (this.#open.size <= this.most) return;
    for (const candidate of this.#open) {
      if (candidate === file || !candidate.mayClose) continue;
      this.#open.delete(candidate);
      await candidate.letGo();
      if (this.#open.size <= this.most) return;
    }
  }

  closed(file: Openable): void {
    this.#open.delete(file);
  }
}
