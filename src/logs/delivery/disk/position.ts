import { readFile, rename, writeFile } from 'node:fs/promises';

/** A place in the segments: all before it is delivered. */
export interface Position {
  readonly segment: number;
  readonly offset: number;
}

/** The beginning, when there is none to read: then records are sent once more, which no store minds. */
export async function readPosition(path: string): Promise<Position> {
  try {
    const { segment, offset } = JSON.parse(await readFile(path, 'utf8')) as Position;
    if (Number.isSafeInteger(segment) && Number.isSafeInteger(offset) && offset >= 0) return { segment, offset };
  } catch {
    // Missing at the first start; torn only by a power cut, since it is put in its place whole.
  }
  return { segment: 0, offset: 0 };
}

/** Not synced: an older position after a power cut only repeats. @throws Error */
export async function writePosition(path: string, position: Position): Promise<void> {
  const draft = `${path}.new`;
  await writeFile(draft, JSON.stringify(position));
  await rename(draft, path);
}
