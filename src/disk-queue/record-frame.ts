import { crc32 } from 'node:zlib';

/** Bytes before each record: its length, a checksum of all the rest (32 bits each), its number (64 bits), little-endian. */
export const frameHead = 16;

/** Writes a record with its head to a place that has room for both. @returns the place after it */
export function writeFrame(into: Buffer, at: number, sequence: number, payload: Uint8Array): number {
  const end = at + frameHead + payload.length;
  into.writeUInt32LE(payload.length, at);
  into.writeBigUInt64LE(BigInt(sequence), at + 8);
  into.set(payload, at + frameHead);
  into.writeUInt32LE(checksum(into, at, end), at + 4);
  return end;
}

export type Frame =
  | { readonly kind: 'record'; readonly sequence: number; readonly bytes: Buffer; readonly size: number }
  /** Not what was written, though its length is believable: what follows it may be whole. */
  | { readonly kind: 'corrupt'; readonly size: number }
  /** No head: whatever follows cannot be found. Zeros, as a power cut leaves them, are this. */
  | { readonly kind: 'lost' }
  /** So many bytes are needed in all. */
  | { readonly kind: 'short'; readonly size: number };

/** A length is believed as far as there are bytes: what was written under another configuration may be larger than what is now. */
export function readFrame(bytes: Buffer, at: number): Frame {
  if (bytes.length - at < frameHead) return { kind: 'short', size: frameHead };
  const length = bytes.readUInt32LE(at);
  const size = frameHead + length;
  if (bytes.length - at < size) return { kind: 'short', size };
  if (bytes.readUInt32LE(at + 4) !== checksum(bytes, at, at + size))
    return length === 0 ? { kind: 'lost' } : { kind: 'corrupt', size };
  const sequence = Number(bytes.readBigUInt64LE(at + 8));
  return { kind: 'record', sequence, bytes: bytes.subarray(at + frameHead, at + size), size };
}

function checksum(framed: Buffer, at: number, end: number): number {
  return crc32(framed.subarray(at + 8, end), crc32(framed.subarray(at, at + 4)));
}
