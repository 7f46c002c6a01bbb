import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';

/** Bytes at the beginning of a file by which it is told from others. */
export const headLength = 1024;

/** What the file system says about which file it is. */
export interface FileNode {
  readonly device: string;
  readonly inode: string;
  /** Nanoseconds since 1970; undefined where the file system does not keep it. */
  readonly born: string | undefined;
}

export function nodeOf(found: BigIntStats): FileNode {
  const { dev, ino, birthtimeNs, ctimeNs } = found;
  // Where there is no time of birth, what stands for it is 0 or the time of the last change.
  const born = birthtimeNs > 0n && birthtimeNs < ctimeNs ? String(birthtimeNs) : undefined;
  return { device: String(dev), inode: String(ino), born };
}

/** Device and inode: the same for one file at a time. */
export function nodeKey({ device, inode }: Pick<FileNode, 'device' | 'inode'>): string {
  return `${device}:${inode}`;
}

/**
 * Whether a file that was found is the known one. An inode may be another file's when nobody has it open; then the times of birth tell.
 * @param open whether the known one is open
 */
export function isSameNode(known: FileNode, found: FileNode, open: boolean): boolean {
  if (nodeKey(found) !== nodeKey(known)) return false;
  return open || known.born === undefined || found.born === undefined || found.born === known.born;
}

/** SHA-256 of so many first bytes. Grows with the file until it covers {@link headLength}. */
export interface Fingerprint {
  readonly length: number;
  readonly sha256: string;
}

export function fingerprintOf(head: Buffer): Fingerprint {
  return { length: head.length, sha256: createHash('sha256').update(head).digest('hex') };
}

/** Whether a file with these first bytes may be the one that had the fingerprint: it has grown, or is the same. */
export function bears(fingerprint: Fingerprint, head: Buffer): boolean {
  const { length, sha256 } = fingerprint;
  if (head.length < length) return false;
  return length === 0 || fingerprintOf(head.subarray(0, length)).sha256 === sha256;
}

/** What was kept of a file that was followed. */
export interface KnownFile {
  readonly fingerprint: Fingerprint;
  readonly born?: string | undefined;
  /** Its inode may be another file's by now. */
  readonly deleted?: boolean | undefined;
}

/** Whether a file with the same inode, this node and these first bytes is the one that was kept. */
export function isFileOf(known: KnownFile, node: FileNode, head: Buffer): boolean {
  if (known.deleted === true) return false;
  if (known.born !== undefined && node.born !== undefined && known.born !== node.born) return false;
  return bears(known.fingerprint, head);
}

/**
 * Whether a file still begins as it did, so that what was read of it before its first bytes were is of the same content.
 * @param known first bytes as they were  @param now and as they are, after the piece was read
 * @param piece what was read, from offset `at`: the very first bytes have nothing before them to compare, but themselves
 */
export function beginsAsBefore(known: Buffer, now: Buffer, at: number, piece: Buffer): boolean {
  if (now.length < known.length || known.compare(now, 0, known.length) !== 0) return false;
  const length = Math.min(now.length, piece.length);
  return at > 0 || now.compare(piece, 0, length, 0, length) === 0;
}

/**
 * Names a file for ever: the same whenever it is looked at, however long it is by then, once its first line is complete or
 * has {@link headLength} bytes. `generation` counts what was in the file before it was truncated, or before the inode
 * was another file's, since their first lines may be alike.
 */
export function sourceKey(node: FileNode, head: Buffer, generation: number): string {
  const newline = head.indexOf(0x0a);
  const firstLine = newline < 0 ? head : head.subarray(0, newline + 1);
  return createHash('sha256')
    .update(`${node.device}:${node.inode}:${generation}:`)
    .update(firstLine)
    .digest('base64url')
    .slice(0, 22);
}
