import { FrameCursor } from './frame-cursor.ts';
import type { QueueFiles } from './queue-files.ts';
import { firstOf, segmentPath, type Segment } from './segment.ts';

/** What an earlier process has left. */
export interface FoundSegments {
  /** Oldest first. */
  readonly segments: Segment[];
  /** Bytes that were cut off the last file: only that one can end in the middle of a record. */
  readonly tornBytes: number;
  /** Names of files that are none of the queue's. */
  readonly foreign: readonly string[];
}

/** @throws Node's error */
export async function findSegments(
  files: QueueFiles,
  folder: string,
  known: readonly string[],
): Promise<FoundSegments> {
  const names = await files.list(folder);
  const firsts = names.map(firstOf).filter((first) => first !== undefined);
  firsts.sort((a, b) => a - b);
  const segments: Segment[] = [];
  let tornBytes = 0;
  for (const [at, first] of firsts.entries()) {
    const path = segmentPath(folder, first);
    const { size, since } = await files.stat(path);
    const next = firsts[at + 1];
    const segment = { path, first, since, end: next ?? first, size: next === undefined ? 0 : size };
    if (next === undefined) {
      await scan(files, segment, size);
      tornBytes = size - segment.size;
    }
    if (segment.end > first) segments.push(segment);
    else await files.remove(path);
  }
  return { segments, tornBytes, foreign: names.filter((name) => isForeign(name) && !known.includes(name)) };
}

/** What a volume brings with it is no matter of anybody. */
function isForeign(name: string): boolean {
  return firstOf(name) === undefined && name !== 'lost+found' && !name.startsWith('.');
}

/** Finds the last whole record and cuts off what follows it. */
async function scan(files: QueueFiles, segment: Segment, size: number): Promise<void> {
  const file = await files.open(segment.path, 'r+');
  try {
    const cursor = new FrameCursor(file);
    let isGap = false;
    for (;;) {
      const frame = await cursor.next(size);
      if (frame.kind === 'corrupt') isGap = true;
      else if (frame.kind !== 'record' || frame.sequence < segment.end) break;
      else if (frame.sequence > segment.end && !isGap) break;
      else {
        segment.size = cursor.offset;
        segment.end = frame.sequence + 1;
        isGap = false;
      }
    }
    if (segment.size < size) await file.truncate(segment.size);
  } finally {
    await file.close();
  }
}
