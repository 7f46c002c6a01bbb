/**
 * Tells everybody who works for an exchange that nobody waits for the result any more. An AbortSignal without
 * EventTarget: one allocation for an exchange, a callback costs a place in an array.
 */
export class Cancellation {
  #reason: Error | undefined;
  #listeners: (((reason: Error) => void) | undefined)[] | undefined;

  get reason(): Error | undefined {
    return this.#reason;
  }

  /** Calls back once, at once if it has happened already. Returns a function that withdraws. */
  onCancel(listener: (reason: Error) => void): () => void {
    if (this.#reason !== undefined) {
      listener(this.#reason);
      return () => {};
    }
    const listeners = (this.#listeners ??= []);
    const place = listeners.push(listener) - 1;
    return () => {
      listeners[place] = undefined;
    };
  }

  cancel(reason: Error): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    const listeners = this.#listeners;
    this.#listeners = undefined;
    if (listeners !== undefined) for (const listener of listeners) listener?.(reason);
  }
}
