/** Fields of a protobuf message in their order: numbers for varints, eight bytes for doubles, bytes for all that has a length. */
export function readProtobuf(bytes: Buffer): { field: number; value: bigint | Buffer }[] {
  const fields: { field: number; value: bigint | Buffer }[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      if (at >= bytes.length || shift > 63n) throw new Error('varint does not end');
      const byte = bytes[at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const take = (length: number): Buffer => {
    if (at + length > bytes.length) throw new Error('field is longer than the message');
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const key = Number(varint());
    const kind = key & 7;
    const field = key >> 3;
    if (kind === 0) fields.push({ field, value: varint() });
    else if (kind === 1) fields.push({ field, value: take(8) });
    else if (kind === 2) fields.push({ field, value: take(Number(varint())) });
    else throw new Error(`wire type ${kind}`);
  }
  return fields;
}

export function readPackedVarints(bytes: Buffer): number[] {
  // The same bytes as the keys of a message's fields, one after the other.
  const numbers: number[] = [];
  let value = 0;
  let shift = 0;
  for (const byte of bytes) {
    value += (byte & 0x7f) * 2 ** shift;
    shift += 7;
    if (byte < 0x80) {
      numbers.push(value);
      value = 0;
      shift = 0;
    }
  }
  if (shift !== 0) throw new Error('varint does not end');
  return numbers;
}
