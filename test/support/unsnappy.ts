/** A strict decoder of snappy's block format, written from its description alone. Throws for anything that is not valid. */
export function unsnappy(input: Buffer): Buffer {
  let at = 0;
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = input[at++]!;
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
    if (shift > 28) throw new Error('length is too long');
  }
  const output = Buffer.alloc(length);
  let size = 0;
  while (at < input.length) {
    const tag = input[at++]!;
    const kind = tag & 3;
    if (kind === 0) {
      let count = (tag >> 2) + 1;
      if (count > 60) {
        const bytes = count - 60;
        count = input.readUIntLE(at, bytes) + 1;
        at += bytes;
      }
      if (at + count > input.length || size + count > length) throw new Error('literal is too long');
      input.copy(output, size, at, at + count);
      at += count;
      size += count;
      continue;
    }
    let count: number;
    let offset: number;
    if (kind === 1) {
      count = ((tag >> 2) & 7) + 4;
      offset = ((tag >> 5) << 8) | input[at++]!;
    } else {
      count = (tag >> 2) + 1;
      offset = kind === 2 ? input.readUInt16LE(at) : input.readUInt32LE(at);
      at += kind === 2 ? 2 : 4;
    }
    if (offset === 0 || offset > size || size + count > length) throw new Error('copy from nowhere');
    for (let each = 0; each < count; each++, size++) output[size] = output[size - offset]!;
  }
  if (size !== length) throw new Error(`${size} bytes instead of ${length}`);
  return output;
}
