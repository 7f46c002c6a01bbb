import type { LocalReply } from '../http/index.ts';

/** Why an exchange ends before its answer is through: there is a better answer, or nobody to answer to. */
export type Ending =
  { readonly kind: 'reply'; readonly reply: LocalReply } | { readonly kind: 'gone'; readonly reason: Error };

export interface EndListener {
  ended(ending: Ending): void;
}

/**
 * Watches over one exchange: silence, a request that goes wrong while it arrives, a client that leaves. The codec tells,
 * serve.ts listens. The first ending counts, until it has been answered.
 */
export class Watch {
  #ending: Ending | undefined;
  #listener: EndListener | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** A byte went by, in either direction. */
  touch(): void {
    this.#timer?.refresh();
  }

  end(ending: Ending): void {
    if (this.#ending !== undefined) return;
    this.#ending = ending;
    this.#listener?.ended(ending);
  }

  /** The ending has been turned into an answer, and this answer may meet an end of its own. */
  answered(): void {
    this.#ending = undefined;
  }

  /** Sets the one listener; calls it at once if the end has come already. */
  onEnd(listener: EndListener): void {
    this.#listener = listener;
    if (this.#ending !== undefined) listener.ended(this.#ending);
  }

  /** @param milliseconds of silence until `expired` is called; 0 is off */
  startIdleTimer(milliseconds: number, expired: () => void): void {
    if (milliseconds > 0) this.#timer = setTimeout(expired, milliseconds);
  }

  stopIdleTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
