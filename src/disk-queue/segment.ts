import { join } from 'node:path';
import { readFully, type QueueFiles } from './queue-files.ts';
import { frameHead, isWhole, readHead } from './record-frame.ts';

/** A file of the queue, named for the number of its first record. */
export interface Segment {
  readonly path: string;
  readonly first: number;
  /** Number after the last record. */
  end: number;
  /** Bytes of whole records. */
  size: number;
}

const segmentName = /^(\d{16})\.queue$/;

export function newSegment(folder: string, first: number): Segment {
  return { path: join(folder, `${String(first).padStart(16, '0')}.queue`), first, end: first, size: 0 };
}

/** What an earlier process has left, oldest first. Only the last file can have been cut off in the middle of a record. */
export async function findSegments(
  files: QueueFiles,
  folder: string,
  largestRecord: number,
): Promise<{ segments: Segment[]; tornBytes: number }> {
  const firsts = (await files.list(folder))
    .map((name) => segmentName.exec(name)?.[1])
    .filter((digits) => digits !== undefined)
    .map(Number)
    .filter((first) => Number.isSafeInteger(first))
    .sort((a, b) => a - b);
  const segments: Segment[] = [];
  let tornBytes = 0;
  for (const [at, first] of firsts.entries()) {
    const segment = newSegment(folder, first);
    const size = await files.size(segment.path);
    const next = firsts[at + 1];
    if (next === undefined) {
      await scan(files, segment, largestRecord);
      tornBytes = size - segment.size;
    } else {
      segment.end = next;
      segment.size = size;
    }
    if (segment.size > 0) segments.push(segment);
    else await files.remove(segment.path);
  }
  return { segments, tornBytes };
}

/** Counts whole records from the beginning and cuts off what follows them. */
async function scan(files: QueueFiles, segment: Segment, largestRecord: number): Promise<void> {
  const file = await files.open(segment.path, 'r+');
  try {
    for (;;) {
      const head = await readFully(file, frameHead, segment.size);
      if (head.length < frameHead) break;
      const { length, sequence } = readHead(head);
      if (length > largestRecord || sequence !== segment.end) break;
      const framed = await readFully(file, frameHead + length, segment.size);
      if (!isWhole(framed)) break;
      segment.size += framed.length;
      segment.end++;
    }
    await file.truncate(segment.size);
  } finally {
    await file.close();
  }
}
