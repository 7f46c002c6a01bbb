import { join } from 'node:path';

/** A file of the queue, named for the number of its first record. */
export interface Segment {
  readonly path: string;
  readonly first: number;
  /** When it was begun, milliseconds since 1970. */
  readonly since: number;
  /** Number after the last record. */
  end: number;
  /** Bytes of whole records. */
  size: number;
}

/**
 * The ending stands for the layout of what is in the file. Another layout gets another ending, so that no version takes the files of
 * another one for damaged ones and cuts them off.
 */
const segmentName = /^(\d{16})\.queue$/;

export function segmentPath(folder: string, first: number): string {
  return join(folder, `${String(first).padStart(16, '0')}.queue`);
}

/** The number in the name of a file, or undefined when it is no file of the queue. */
export function firstOf(name: string): number | undefined {
  const first = Number(segmentName.exec(name)?.[1]);
  return Number.isSafeInteger(first) ? first : undefined;
}
