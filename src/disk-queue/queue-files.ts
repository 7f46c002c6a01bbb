import { mkdir, open, readdir, rm, stat, type FileHandle } from 'node:fs/promises';

/** An open file, as far as the queue needs one. */
export type QueueFile = Pick<FileHandle, 'read' | 'write' | 'truncate' | 'datasync' | 'close'>;

/** What the queue does to the disk; tests put faults in. All reject with Node's errors. */
export interface QueueFiles {
  open(path: string, flags: 'r' | 'w' | 'r+'): Promise<QueueFile>;
  remove(path: string): Promise<void>;
  list(folder: string): Promise<string[]>;
  /** Bytes in it, and when it was made, in milliseconds since 1970. */
  stat(path: string): Promise<{ readonly size: number; readonly since: number }>;
  makeFolder(folder: string): Promise<void>;
  /** Makes names of new files survive a power cut. */
  syncFolder(folder: string): Promise<void>;
}

export const systemFiles: QueueFiles = {
  open: (path, flags) => open(path, flags, 0o600),
  remove: (path) => rm(path, { force: true }),
  list: (folder) => readdir(folder),
  async stat(path) {
    const { size, birthtimeMs, ctimeMs } = await stat(path);
    // Not every file system notes when a file was made.
    return { size, since: birthtimeMs > 0 ? birthtimeMs : ctimeMs };
  },
  async makeFolder(folder) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  },
  async syncFolder(folder) {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};

/** Writes all bytes; the kernel may take a part only, also just before the disk is full. */
export async function writeAll(file: QueueFile, bytes: Buffer, position: number): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, position + at);
    at += bytesWritten;
  }
}

/** @returns fewer bytes than asked when the file ends before */
export async function readFully(file: QueueFile, length: number, position: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  while (at < length) {
    const { bytesRead } = await file.read(bytes, at, length - at, position + at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return bytes.subarray(0, at);
}
