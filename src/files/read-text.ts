import { isUtf8 } from 'node:buffer';
import { constants, open } from 'node:fs/promises';

/** Most bytes of a configuration, and of a file that a `file:` value names. */
export const largestFile = 1024 * 1024;

/** Text that cannot be read; the message says why. `position` is set when one place in the file is to blame. */
export class UnreadableFile extends Error {
  override readonly name = 'UnreadableFile';
  readonly position: { line: number; column: number } | undefined;

  constructor(message: string, position?: { line: number; column: number }) {
    super(message);
    this.position = position;
  }
}

export interface TextFile {
  /** Without a byte order mark. */
  readonly text: string;
  readonly bytes: Uint8Array;
}

/**
 * Reads a text file of at most {@link largestFile} bytes of UTF-8.
 * @param regularOnly refuses pipes and devices, whose reading may never end
 * @throws UnreadableFile
 */
export async function readText(path: string, { regularOnly = false } = {}): Promise<TextFile> {
  const bytes = await readBytes(path, regularOnly);
  if (!isUtf8(bytes)) throw new UnreadableFile('is not UTF-8 text', firstBadByte(bytes));
  const text = new TextDecoder('utf-8').decode(bytes);
  return { text, bytes };
}

async function readBytes(path: string, regularOnly: boolean): Promise<Uint8Array> {
  const limit = largestFile;
  let file: Awaited<ReturnType<typeof open>> | undefined;
  try {
    // O_NONBLOCK: opening a named pipe that nobody writes to must not wait for ever.
    file = await open(path, regularOnly ? constants.O_RDONLY | constants.O_NONBLOCK : constants.O_RDONLY);
    const stat = await file.stat();
    if (stat.isDirectory()) throw new UnreadableFile('is a folder, not a file');
    if (regularOnly && !stat.isFile()) throw new UnreadableFile('is not a regular file');
    // The size that stat tells may be of a file that grows, or 0 for a pipe: count what is read.
    const chunks: Uint8Array[] = [];
    let size = 0;
    for (;;) {
      const { bytesRead, buffer } = await file.read(new Uint8Array(64 * 1024), 0, 64 * 1024);
      if (bytesRead === 0) break;
      size += bytesRead;
      if (size > limit) throw new UnreadableFile('is larger than 1 MiB');
      chunks.push(buffer.subarray(0, bytesRead));
    }
    return Buffer.concat(chunks);
  } catch (error) {
    throw error instanceof UnreadableFile ? error : new UnreadableFile(reason(error));
  } finally {
    await file?.close();
  }
}

const reasons: Record<string, string> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist',
  EACCES: 'cannot be read: permission denied',
  EPERM: 'cannot be read: permission denied',
  ELOOP: 'cannot be read: its symbolic links go round in a circle',
  EISDIR: 'is a folder, not a file',
};

function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return reasons[code ?? ''] ?? `cannot be read: ${message}`;
}

function firstBadByte(bytes: Uint8Array): { line: number; column: number } {
  let line = 1;
  let start = 0;
  for (;;) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline < 0 ? bytes.length : newline;
    const row = bytes.subarray(start, end);
    if (!isUtf8(row)) {
      const good = new TextDecoder('utf-8').decode(row).indexOf('\uFFFD');
      return { line, column: good + 1 };
    }
    if (newline < 0) return { line, column: 1 };
    line++;
    start = newline + 1;
  }
}
