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
  /** What silence leads to, and after how many milliseconds. */
  #silence: (() => Ending) | undefined;
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
    } else if (this.#silence !== undefined && now - this.#quietSince >= this.#patience) {
      const ending = this.#silence();
      this.#silence = undefined;
      this.end(ending);
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

  /** @param milliseconds of silence until it ends as `silence` says; 0 is off */
  awaitBytes(milliseconds: number, silence: () => Ending): void {
    this.#patience = milliseconds;
    this.#silence = milliseconds > 0 ? silence : undefined;
  }

  /** Silence does not matter any more. */
  rest(): void {
    this.#silence = undefined;
  }
}
