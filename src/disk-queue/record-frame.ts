import { crc32 } from 'node:zlib';

/** Bytes before each record: its length, a checksum of all the rest (32 bits each), its number (64 bits), little-endian. */
export const frameHead = 16;

export function frame(sequence: number, payload: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(frameHead + payload.length);
  framed.writeUInt32LE(payload.length, 0);
  framed.writeBigUInt64LE(BigInt(sequence), 8);
  framed.set(payload, frameHead);
  framed.writeUInt32LE(checksum(framed), 4);
  return framed;
}

/** What a head says, which is worth nothing before {@link isWhole} has agreed. */
export function readHead(head: Buffer): { readonly length: number; readonly sequence: number } {
  return { length: head.readUInt32LE(0), sequence: Number(head.readBigUInt64LE(8)) };
}

/** Whether a head and its payload are as they were written. A head of zeros, as a power cut leaves them, is not. */
export function isWhole(framed: Buffer): boolean {
  return (
    framed.length >= frameHead &&
    framed.readUInt32LE(0) === framed.length - frameHead &&
    framed.readUInt32LE(4) === checksum(framed)
  );
}

function checksum(framed: Buffer): number {
  return crc32(framed.subarray(8), crc32(framed.subarray(0, 4)));
}
