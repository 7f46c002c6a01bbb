import { describe, expect, it } from 'vitest';
import { ProtobufWriter } from '../../../../src/metrics/push/protobuf-writer.ts';

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
    ['bits of a double', (writer) => writer.doubleBits(1, 0x7ff0000000000002n), '09020000000000f07f'],
    ['a field beyond 15', (writer) => writer.integer(16, 1), '800101'],
  ])('has %s', (_what, write, hex) => {
    const writer = new ProtobufWriter();
    write(writer);
    expect(writer.finish().toString('hex')).toBe(hex);
  });

  it('grows', () => {
    const writer = new ProtobufWriter().text(1, 'x'.repeat(5000)).text(2, 'y');
    expect(writer.finish().subarray(-3).toString('latin1')).toBe('\x12\x01y');
  });
});
