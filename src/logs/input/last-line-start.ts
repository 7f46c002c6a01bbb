import type { FileHandle } from 'node:fs/promises';

/** Bytes before the end of a file in which the beginning of its last line is sought. */
const lastLineWithin = 64 * 1024;

/** Where the last line begins that has no end yet; the end of the file when that is far. @throws the error of the file system */
export async function lastLineStart(file: FileHandle, size: number): Promise<number> {
  const length = Math.min(size, lastLineWithin);
  const tail = Buffer.alloc(length);
  const { bytesRead } = await file.read(tail, 0, length, size - length);
  const newline = tail.subarray(0, bytesRead).lastIndexOf(0x0a);
  if (newline >= 0) return size - length + newline + 1;
  return length === size ? 0 : size;
}
