import type { LogRecord } from './record.ts';

/** Where records go, as the reading side sees it. */
export interface Outlet {
  /** Takes a record. False: it is full and took it still; wait for `room()` before the next. */
  offer(record: LogRecord): boolean;
  room(): Promise<void>;
  /** Sends what it has, resolves when all offered so far is acknowledged or the signal aborts. */
  flush(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}
