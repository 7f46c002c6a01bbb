/** Bytes that are no message. */
export class ProtobufFault extends Error {
  override readonly name = 'ProtobufFault';
}

/** A field of a protobuf message as it is on the wire (protobuf.dev, encoding). */
export type ProtobufField =
  | { readonly field: number; readonly kind: 'varint'; readonly value: bigint }
  | { readonly field: number; readonly kind: 'fixed64'; readonly value: number }
  | { readonly field: number; readonly kind: 'bytes'; readonly value: Buffer };

/**
 * The fields of a message in their order; those of 32 bits, which no message of ours has, are skipped.
 * @throws ProtobufFault when it is no message
 */
export function* protobufFields(message: Buffer): Generator<ProtobufField> {
  let at = 0;
  while (at < message.length) {
    const [tag, afterTag] = need(readVarint(message, at));
    const field = Number(tag >> 3n);
    const kind = Number(tag & 7n);
    at = afterTag;
    if (kind === 0) {
      const [value, after] = need(readVarint(message, at));
      at = after;
      yield { field, kind: 'varint', value };
    } else if (kind === 1) {
      if (at + 8 > message.length) throw truncated();
      yield { field, kind: 'fixed64', value: message.readDoubleLE(at) };
      at += 8;
    } else if (kind === 2) {
      const [length, after] = need(readVarint(message, at));
      if (length > BigInt(message.length - after)) throw truncated();
      at = after + Number(length);
      yield { field, kind: 'bytes', value: message.subarray(after, at) };
    } else if (kind === 5) {
      at += 4;
    } else {
      throw new ProtobufFault(`has a field of the wire type ${kind}`);
    }
  }
  if (at > message.length) throw truncated();
}

/** The number at a place and where it ends; undefined when the bytes end within it. */
export function readVarint(bytes: Buffer, start: number): [value: bigint, after: number] | undefined {
  let value = 0n;
  for (let at = start; at < bytes.length && at < start + 10; at++) {
    const byte = bytes[at]!;
    value |= BigInt(byte & 0x7f) << BigInt(7 * (at - start));
    if (byte < 0x80) return [BigInt.asUintN(64, value), at + 1];
  }
  if (bytes.length - start >= 10) throw new ProtobufFault('has a number of more than 64 bits');
  return undefined;
}

function need(read: [bigint, number] | undefined): [bigint, number] {
  if (read === undefined) throw truncated();
  return read;
}

function truncated(): ProtobufFault {
  return new ProtobufFault('ends in the middle of a field');
}
