import type { DiskQueueConfig } from './config.ts';
import { frameHead } from './record-frame.ts';

export interface QueueLimits {
  /** Bytes after which another file begins: what is dropped at once, and what is kept though it is acknowledged. */
  readonly segmentBytes: number;
  /** Bytes that are written and synchronised at once, unless one record is larger. */
  readonly writeBytes: number;
  /** Bytes of the largest record, without its head. */
  readonly largestRecord: number;
}

export function limitsOf({ max_bytes }: Pick<DiskQueueConfig, 'max_bytes'>): QueueLimits {
  const segmentBytes = Math.min(Math.floor(max_bytes / 16), 16 * 1024 * 1024);
  return {
    segmentBytes,
    writeBytes: Math.min(segmentBytes, 1024 * 1024),
    largestRecord: Math.floor(max_bytes / 4) - frameHead,
  };
}
