/** Something that several configurations in a row use; closed when the last of them has let go. */
export class Shared<T> {
  readonly value: T;
  readonly #close: (value: T) => void | Promise<void>;
  #users = 1;

  /** Whoever makes it is its first user. */
  constructor(value: T, close: (value: T) => void | Promise<void>) {
    this.value = value;
    this.#close = close;
  }

  retain(): this {
    this.#users++;
    return this;
  }

  async release(): Promise<void> {
    this.#users--;
    if (this.#users === 0) await this.#close(this.value);
  }
}
