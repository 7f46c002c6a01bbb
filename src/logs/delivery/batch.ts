import type { LogRecord } from '../record.ts';

/** Records of one lane that are sent together, in the order in which they came. */
export interface Batch {
  readonly records: LogRecord[];
  /** About; see record-size.ts. */
  bytes: number;
  /** Clock reading at which the first one came. */
  readonly since: number;
}

export interface BatchLimits {
  readonly maxRecords: number;
  readonly maxBytes: number;
}

/** Whether a batch that has records would be too large with one more of that size. */
export function isFull({ records, bytes }: Batch, next: number, { maxRecords, maxBytes }: BatchLimits): boolean {
  return records.length >= maxRecords || bytes + next > maxBytes;
}
