/**
 * Snappy's block format: literals, and copies of four bytes or more that were there before within 64 KiB. Finds the latest earlier
 * place of each four bytes, which is enough for text that repeats its labels. Source: google/snappy format_description.txt.
 */
export function snappyCompress(input: Buffer): Buffer {
  const { length } = input;
  // All literals: the worst case of the format's own bound.
  const output = Buffer.allocUnsafe(32 + length + Math.ceil(length / 6));
  let written = 0;
  for (let rest = length; ; rest = Math.floor(rest / 0x80)) {
    output[written++] = rest > 0x7f ? (rest % 0x80) | 0x80 : rest;
    if (rest <= 0x7f) break;
  }

  const literal = (from: number, to: number) => {
    const count = to - from;
    if (count === 0) return;
    const bytes = count <= 60 ? 0 : count <= 0x100 ? 1 : count <= 0x10000 ? 2 : count <= 0x1000000 ? 3 : 4;
    output[written++] = (bytes === 0 ? count - 1 : 59 + bytes) << 2;
    if (bytes > 0) written = output.writeUIntLE(count - 1, written, bytes);
    written += input.copy(output, written, from, to);
  };
  const copy = (offset: number, count: number) => {
    for (; count > 0; count -= 64) {
      output[written++] = ((Math.min(count, 64) - 1) << 2) | 2;
      written = output.writeUInt16LE(offset, written);
    }
  };

  // Places plus one, by a hash of the four bytes there.
  const places = new Uint32Array(1 << hashBits);
  let start = 0;
  for (let at = 0; at + 4 <= length;) {
    const four = input.readUInt32LE(at);
    const slot = Math.imul(four, 0x1e35a7bd) >>> (32 - hashBits);
    const before = places[slot]! - 1;
    places[slot] = at + 1;
    if (before < 0 || at - before > 0xffff || input.readUInt32LE(before) !== four) {
      at++;
      continue;
    }
    let count = 4;
    while (at + count < length && input[before + count] === input[at + count]) count++;
    literal(start, at);
    copy(at - before, count);
    at += count;
    start = at;
  }
  literal(start, length);
  return Buffer.from(output.subarray(0, written));
}

const hashBits = 14;
