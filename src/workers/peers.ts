/** Filters of the workers tell each other what they must know of each other; the primary passes it on and keeps nothing. */
import type { FilterPeers } from '../filter/define-filter.ts';

/** What a filter of one worker tells the same filter in the others. */
export interface PeerMessage {
  /** Which filter it is. */
  readonly peer: string;
  readonly message: unknown;
}

/** Messages on their way to one process. More are lost: whoever does not read will not be waited for. */
export const mostUnderWay = 64;

/** The side of a worker: which filters listen, and how many of its messages the primary has not yet taken. */
export class Peers {
  readonly #send: (message: PeerMessage, sent: () => void) => void;
  readonly #listening = new Map<string, Set<(message: unknown) => void>>();
  #underWay = 0;

  /** @param send gives a message to the primary, and calls back when it is out of our hands */
  constructor(send: (message: PeerMessage, sent: () => void) => void) {
    this.#send = send;
  }

  hear({ peer, message }: PeerMessage): void {
    for (const listener of this.#listening.get(peer) ?? []) listener(message);
  }

  /** @param peer names the place of use, the same in all workers */
  readonly of = (peer: string): FilterPeers => ({
    tell: (message) => {
      if (this.#underWay >= mostUnderWay) return false;
      this.#underWay++;
      this.#send({ peer, message }, () => this.#underWay--);
      return true;
    },
    listen: (hear) => {
      const listeners = this.#listening.get(peer) ?? new Set();
      this.#listening.set(peer, listeners);
      listeners.add(hear);
      return () => {
        listeners.delete(hear);
        if (listeners.size === 0) this.#listening.delete(peer);
      };
    },
  });
}
