export interface CancelListener {
  cancelled(reason: Error): void;
}

/**
 * Tells everybody who works for an exchange that nobody waits for the result any more. An AbortSignal without
 * EventTarget: one allocation for an exchange; the first listener, mostly the only one, costs none.
 */
export class Cancellation {
  #reason: Error | undefined;
  #first: CancelListener | undefined;
  #others: Set<CancelListener> | undefined;

  get reason(): Error | undefined {
    return this.#reason;
  }

  /** The listener is told once, at once if it has happened already. */
  add(listener: CancelListener): void {
    if (this.#reason !== undefined) listener.cancelled(this.#reason);
    else if (this.#first === undefined) this.#first = listener;
    else (this.#others ??= new Set()).add(listener);
  }

  remove(listener: CancelListener): void {
    if (this.#first === listener) this.#first = undefined;
    else this.#others?.delete(listener);
  }

  /** {@link add} for a function. Returns a function that withdraws. */
  onCancel(cancelled: (reason: Error) => void): () => void {
    const listener = { cancelled };
    this.add(listener);
    return () => this.remove(listener);
  }

  cancel(reason: Error): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    const first = this.#first;
    const others = this.#others;
    this.#first = undefined;
    this.#others = undefined;
    first?.cancelled(reason);
    if (others !== undefined) for (const listener of others) listener.cancelled(reason);
  }
}
