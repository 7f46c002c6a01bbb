import type { OpenSocket } from '../listener/bind.ts';
import { showAddress, type Address } from '../options/index.ts';

/** What a worker says about sockets. */
export type SocketWish =
  | { readonly socket: number; readonly key: string; readonly open: Address }
  | { readonly socket: number; readonly key: string };

/** The answer to the wish of this number; the socket comes along with it. */
export interface SocketAnswer {
  readonly socket: number;
  readonly address?: Address;
  /** Of one that was let go: nobody else had it any more. */
  readonly last?: boolean;
  /** Why it cannot be had: the code of the system, and words. */
  readonly failed?: { readonly code: string; readonly message: string };
}

/** Listening sockets as a worker gets them: from the primary, who keeps them. */
export class PrimarySockets {
  readonly #send: (wish: SocketWish) => void;
  readonly #waiting = new Map<number, (answer: SocketAnswer, handle: unknown) => void>();
  #next = 1;

  constructor(send: (wish: SocketWish) => void) {
    this.#send = send;
  }

  hear(answer: SocketAnswer, handle: unknown): void {
    this.#waiting.get(answer.socket)?.(answer, handle);
    this.#waiting.delete(answer.socket);
  }

  readonly open: OpenSocket = async (name, at) => {
    const written = showAddress(at);
    // Port 0 may stand there more than once, for different ports.
    const key = at.kind === 'tcp' && at.port === 0 ? `${name} ${written}` : written;
    const { answer, handle } = await this.#wish({ key, open: at });
    if (answer.failed !== undefined) {
      throw Object.assign(new Error(answer.failed.message), { code: answer.failed.code });
    }
    return {
      handle: handle as object,
      address: answer.address ?? at,
      letGo: async () => (await this.#wish({ key })).answer.last ?? false,
    };
  };

  #wish(wish: { key: string; open?: Address }): Promise<{ answer: SocketAnswer; handle: unknown }> {
    const socket = this.#next++;
    return new Promise((resolve) => {
      this.#waiting.set(socket, (answer, handle) => resolve({ answer, handle }));
      this.#send({ socket, ...wish });
    });
  }
}
