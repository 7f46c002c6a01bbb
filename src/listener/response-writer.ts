import type { Headers, Response } from '../http/index.ts';

/** Where serve.ts puts the answer of one exchange; each protocol has its own. */
export interface ResponseWriter {
  /** Sends an interim response (RFC 9110 §15.2). Does nothing when the client or the moment does not allow one. */
  inform(status: number, headers: Headers): void;
  /**
   * Sends head and body with back-pressure. Undefined when all of it has been handed to the socket at once; else resolves
   * with undefined when the last byte has, or with what broke the message, which the client then sees broken.
   * @throws TypeError (perhaps as rejection) only before the first byte has left: the head cannot be written
   */
  send(response: Response): Promise<Error | undefined> | undefined;
  /** Breaks the message visibly and lets go of its body; a pending `send` resolves with the reason. */
  abort(reason: Error): void;
}
