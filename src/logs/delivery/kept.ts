import type { LogRecord } from '../record.ts';

export interface DiskView {
  readonly path: string;
  readonly bytes: number;
  readonly limit_bytes: number;
  readonly segments: number;
  /** Records wait because it is full or cannot be written. */
  readonly blocked: boolean;
}

/** Where records are kept until they are delivered: the part of delivery that differs between memory and disk. */
export interface Kept {
  offer(record: LogRecord): boolean;
  room(): Promise<void>;
  flush(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
  /** Records in memory, and the disk's levels where there is one. */
  levels(): { readonly records: number; readonly bytes: number; readonly disk: DiskView | null };
  /** Milliseconds since the oldest record that is not delivered was taken; 0 when there is none. */
  oldest(): number;
}
