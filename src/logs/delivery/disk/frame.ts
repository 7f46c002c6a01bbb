import { crc32 } from 'node:zlib';
import type { LogRecord, LogSource } from '../../record.ts';

/** Bytes before the payload: its length and its CRC-32, both as 32 bits, big endian. */
const headSize = 8;

/** A record as it stands in a segment. @throws Error when a field is no plain JSON value */
export function encodeFrame({ source, start, end, time, nanos, fields }: LogRecord): Buffer {
  const json = JSON.stringify([source.key, source.path, source.input, start, end, time, nanos, fields]);
  const length = Buffer.byteLength(json);
  const frame = Buffer.allocUnsafe(headSize + length);
  frame.write(json, headSize);
  frame.writeUInt32BE(length, 0);
  frame.writeUInt32BE(crc32(frame.subarray(headSize)), 4);
  return frame;
}

export type Frame =
  | { readonly kind: 'record'; readonly record: LogRecord; readonly size: number }
  /** Its length is believable and its content is not: what follows may be whole. */
  | { readonly kind: 'corrupt'; readonly size: number }
  /** More bytes are needed, `size` in all; when there are none, a write was cut off here. */
  | { readonly kind: 'short'; readonly size: number };

/** Reads the frame at a place of some bytes. Bytes that are all zero, as a file system may leave them, are cut off. */
export function decodeFrame(bytes: Buffer, at: number): Frame {
  if (bytes.length - at < headSize) return { kind: 'short', size: headSize };
  const length = bytes.readUInt32BE(at);
  const size = headSize + length;
  if (length === 0) return { kind: 'short', size: Infinity };
  if (bytes.length - at < size) return { kind: 'short', size };
  const payload = bytes.subarray(at + headSize, at + size);
  if (crc32(payload) !== bytes.readUInt32BE(at + 4)) return { kind: 'corrupt', size };
  try {
    const [key, path, input, start, end, time, nanos, fields] = JSON.parse(payload.toString()) as [
      string,
      string,
      string,
      number,
      number,
      number,
      number,
      Record<string, unknown>,
    ];
    return { kind: 'record', record: { source: sourceOf(key, path, input), start, end, time, nanos, fields }, size };
  } catch {
    return { kind: 'corrupt', size };
  }
}

let last: LogSource | undefined;

/** Neighbours mostly come of the same file, and share it. */
function sourceOf(key: string, path: string, input: string): LogSource {
  if (last?.key === key && last.path === path && last.input === input) return last;
  return (last = { key, path, input });
}
