/** The two messages of grpc.health.v1, each with the five bytes that go before a message (grpc/grpc doc/health-checking.md). */

export type ServingStatus = 'UNKNOWN' | 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN';

const statuses: readonly ServingStatus[] = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];

/** `HealthCheckRequest { string service = 1; }` */
export function healthRequest(service: string): Buffer {
  const name = Buffer.from(service);
  // The default value of a field is not sent.
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, ...varint(name.length)]), name]);
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(message.length, 1);
  return Buffer.concat([frame, message]);
}

/** `HealthCheckResponse { ServingStatus status = 1; }`; `malformed` for what is none, or not whole. */
export function readHealth(bytes: Uint8Array): ServingStatus | 'malformed' {
  const frame = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // Nobody may compress it, for we have not offered to read that.
  if (frame.length < 5 || frame[0] !== 0 || frame.readUInt32BE(1) !== frame.length - 5) return 'malformed';
  let status = 0;
  for (let at = 5; at < frame.length;) {
    const tag = readVarint(frame, at);
    if (tag === undefined) return 'malformed';
    const value = readVarint(frame, tag.next);
    if (value === undefined) return 'malformed';
    const kind = tag.value & 7;
    if (tag.value === 8) status = value.value;
    // Fields of later versions are skipped: numbers, and what has a length.
    else if (kind !== 0 && kind !== 2) return 'malformed';
    at = kind === 2 ? value.next + value.value : value.next;
    if (at > frame.length) return 'malformed';
  }
  return statuses[status] ?? 'UNKNOWN';
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let left = value; ; left >>>= 7) {
    if (left < 0x80) return [...bytes, left];
    bytes.push((left & 0x7f) | 0x80);
  }
}

/** Up to 28 bits: nothing here needs more. */
function readVarint(bytes: Buffer, start: number): { readonly value: number; readonly next: number } | undefined {
  let value = 0;
  for (let at = start, shift = 0; at < bytes.length && shift < 28; at++, shift += 7) {
    value |= (bytes[at]! & 0x7f) << shift;
    if (bytes[at]! < 0x80) return { value, next: at + 1 };
  }
  return undefined;
}
