/** The exchanges that go by one routing: it must not be taken apart before the last of them is over. */
export class Generation {
  #running = 0;
  #idle: (() => void) | undefined;

  get running(): number {
    return this.#running;
  }

  enter(): void {
    this.#running++;
  }

  leave(): void {
    this.#running--;
    if (this.#running === 0) this.#idle?.();
  }

  /** Resolves when nobody is in it. Whoever asks sees to it that nobody enters any more. */
  empty(): Promise<void> {
    if (this.#running === 0) return Promise.resolve();
    return new Promise((resolve) => (this.#idle = resolve));
  }
}
