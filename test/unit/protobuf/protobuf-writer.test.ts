import { describe, expect, it } from 'vitest';
import { ProtobufWriter, protobufFields, text, writeMessage } from '../../../src/protobuf/index.ts';

describe('a protobuf message', () => {
  it.each<[what: string, write: (writer: ProtobufWriter) => unknown, hex: string]>([
    ['150', (writer) => writer.integer(1, 150), '089601'],
    ['zero', (writer) => writer.integer(1, 0), '0800'],
    ['a time in milliseconds', (writer) => writer.integer(2, 1_700_000_000_000), '1080d095ffbc31'],
    ['the largest exact integer', (writer) => writer.integer(1, Number.MAX_SAFE_INTEGER), '08ffffffffffffff0f'],
    ['a negative integer', (writer) => writer.integer(1, -2), '08feffffffffffffffff01'],
    ['text', (writer) => writer.text(2, 'testing'), '120774657374696e67'],
    ['text beyond ASCII', (writer) => writer.text(2, 'ü'), '1202c3bc'],
    ['a message within', (writer) => writer.message(3, (inner) => inner.integer(1, 150)), '1a03089601'],
    ['packed integers', (writer) => writer.packed(6, [3, 270, 86942]), '3206038e029ea705'],
    ['a double', (writer) => writer.double(1, 1.5), '09000000000000f83f'],
    ['bits of a double', (writer) => writer.fixed64(1, 0x7ff0000000000002n), '09020000000000f07f'],
    ['64 bits', (writer) => writer.fixed64(1, 2n ** 64n - 1n), '09ffffffffffffffff'],
    ['32 bits', (writer) => writer.fixed32(8, 0xffff_fffe), '45feffffff'],
    ['packed doubles', (writer) => writer.packedDoubles(7, [1.5, 0]), '3a10000000000000f83f0000000000000000'],
    ['packed 64 bits', (writer) => writer.packedFixed64(6, [1n, 2n]), '321001000000000000000200000000000000'],
    ['an empty message within', (writer) => writer.message(1, () => {}).integer(2, 1), '0a001001'],
    ['a field beyond 15', (writer) => writer.integer(16, 1), '800101'],
  ])('has %s', (_what, write, hex) => {
    const writer = new ProtobufWriter();
    write(writer);
    expect(writer.finish().toString('hex')).toBe(hex);
  });

  it.each([0, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152])('has messages of any length: %i', (length) => {
    const inner = Buffer.alloc(length, 7);
    const written = new ProtobufWriter()
      .message(1, (outer) => outer.message(2, (inmost) => inmost.raw(inner)).integer(3, 5))
      .integer(4, 6)
      .finish();
    const [outer, last] = [...protobufFields(written)];
    expect(last).toEqual({ field: 4, kind: 'varint', value: 6n });
    const [inmost, integer] = [...protobufFields(outer!.value as Buffer)];
    expect((inmost!.value as Buffer).equals(inner)).toBe(true);
    expect(integer).toEqual({ field: 3, kind: 'varint', value: 5n });
  });

  it('is not written with a field that its shape has not', () => {
    const shape = { known: text(1) };
    expect(() => writeMessage(new ProtobufWriter(), { known: 'x', other: 1 }, shape)).toThrow(/other/);
  });

  it('grows', () => {
    const writer = new ProtobufWriter().text(1, 'x'.repeat(5000)).text(2, 'y');
    expect(writer.finish().subarray(-3).toString('latin1')).toBe('\x12\x01y');
  });
});
