import type { LocalReply } from '../http/index.ts';

/** Why an exchange ends before its answer is through: there is a better answer, or nobody to answer to. */
export type Ending =
  { readonly kind: 'reply'; readonly reply: LocalReply } | { readonly kind: 'gone'; readonly reason: Error };

export interface EndListener {
  ended(ending: Ending): void;
  /** What silence leads to. */
  silent(): Ending;
}

/**
 * Watches over one exchange: silence, a request that goes wrong while it arrives, a client that leaves. The codec tells,
 * serve.ts listens. The first ending counts, until it has been answered.
 */
export class Watch {
  #ending: Ending | undefined;
  #listener: EndListener | undefined;
  /** Milliseconds of silence until it ends; 0 is off. */
  #patience = 0;
  /** A byte went by since the last look. */
  #touched = true;
  #quietSince = 0;

  /** A byte went by, in either direction. */
  touch(): void {
    this.#touched = true;
  }

  /** Called by the codec every tenth of a second or so: a timer for each exchange would cost more than it is worth. */
  look(now: number): void {
    if (this.#touched) {
      this.#touched = false;
      this.#quietSince = now;
    } else if (this.#patience > 0 && now - this.#quietSince >= this.#patience) {
      this.#patience = 0;
      if (this.#listener !== undefined) this.end(this.#listener.silent());
    }
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

  /** @param milliseconds of silence until it ends; 0 is off */
  awaitBytes(milliseconds: number): void {
    this.#patience = milliseconds;
  }

  /** Silence does not matter any more. */
  rest(): void {
    this.#patience = 0;
  }
}
