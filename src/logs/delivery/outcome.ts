import type { LogRecord } from '../record.ts';

/** A record that the store will never take, by its place in the batch. */
export interface Rejection {
  readonly at: number;
  readonly reason: string;
}

/** Whose fault it is that a batch has to be sent again: decides how it is counted and how loudly it is told. */
export type RetryCause = 'busy' | 'unreachable' | 'timeout' | 'unclear' | 'credentials' | 'misconfigured';

/** What became of one attempt to hand a batch over. Never an exception, unless the attempt was called off. */
export type Outcome =
  /** The store looked at each record: all are delivered but those that are named. */
  | {
      readonly kind: 'settled';
      readonly rejected: readonly Rejection[];
      /** Places of the records to send again, ascending. */
      readonly again: readonly number[];
      /** Why, when there are some to send again. */
      readonly reason: string;
    }
  /** Nothing is known to be delivered: the same again, later. */
  | {
      readonly kind: 'retry';
      readonly cause: RetryCause;
      readonly reason: string;
      /** Milliseconds that the store asked to wait. */
      readonly retryAfter?: number;
    }
  /** Too large for the store: in two halves. */
  | { readonly kind: 'split'; readonly reason: string }
  /** Something in it is refused for good: find what, and put it aside. */
  | { readonly kind: 'refused'; readonly reason: string };

export const delivered: Outcome = { kind: 'settled', rejected: [], again: [], reason: '' };

/** A batch as it goes over the wire; the same at each attempt. */
export interface Prepared {
  readonly records: readonly LogRecord[];
  readonly body: Uint8Array;
  /** Bytes before compression. */
  readonly raw: number;
  readonly compressed: boolean;
}

/** One kind of store. Knows how a batch is written and how an answer is read; never waits and never tries twice. */
export interface Output {
  readonly kind: string;
  /** @throws Error when a record cannot be written in the store's format */
  prepare(records: readonly LogRecord[]): Promise<Prepared>;
  /** @throws the signal's reason, when the attempt is called off; nothing else */
  send(batch: Prepared, signal: AbortSignal): Promise<Outcome>;
  show(): OutputView;
  close(): Promise<void>;
}

/** Where an output sends to. Without credentials, and without the values of configured headers. */
export interface OutputView {
  readonly kind: string;
  readonly targets: readonly { readonly url: string; readonly skipped: boolean }[];
}
