/** Writes protobuf messages; what is absent is what the caller does not write. Source: protobuf.dev, encoding. */
export class ProtobufWriter {
  #bytes = Buffer.allocUnsafe(1024);
  #length = 0;

  /** A copy. */
  finish(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#length));
  }

  text(field: number, value: string): this {
    return this.bytes(field, Buffer.from(value));
  }

  bytes(field: number, value: Uint8Array): this {
    return this.varint((field << 3) | 2)
      .varint(value.length)
      .raw(value);
  }

  /** Fields that are written already. */
  raw(fields: Uint8Array): this {
    this.#grow(fields.length);
    this.#bytes.set(fields, this.#length);
    this.#length += fields.length;
    return this;
  }

  message(field: number, write: (inner: ProtobufWriter) => void): this {
    const inner = new ProtobufWriter();
    write(inner);
    return this.bytes(field, inner.#bytes.subarray(0, inner.#length));
  }

  /** int64, uint32 or an enumeration: an integer that a JavaScript number holds exactly. */
  integer(field: number, value: number): this {
    return this.varint(field << 3).varint(value);
  }

  packed(field: number, values: readonly number[]): this {
    return this.message(field, (inner) => {
      for (const value of values) inner.varint(value);
    });
  }

  double(field: number, value: number): this {
    return this.#eightBytes(field, (bytes, at) => bytes.writeDoubleLE(value, at));
  }

  /** The bits of a double that JavaScript cannot hold, such as one NaN among others. */
  doubleBits(field: number, bits: bigint): this {
    return this.#eightBytes(field, (bytes, at) => bytes.writeBigUInt64LE(bits, at));
  }

  #eightBytes(field: number, write: (bytes: Buffer, at: number) => void): this {
    this.varint((field << 3) | 1);
    this.#grow(8);
    write(this.#bytes, this.#length);
    this.#length += 8;
    return this;
  }

  /** A bare number; negative ones take ten bytes, as an int64 does. */
  varint(value: number): this {
    this.#grow(10);
    if (value < 0) {
      let bits = BigInt.asUintN(64, BigInt(value));
      for (; bits > 0x7fn; bits >>= 7n) this.#bytes[this.#length++] = Number(bits & 0x7fn) | 0x80;
      this.#bytes[this.#length++] = Number(bits);
      return this;
    }
    for (; value > 0x7f; value = Math.floor(value / 0x80)) this.#bytes[this.#length++] = (value % 0x80) | 0x80;
    this.#bytes[this.#length++] = value;
    return this;
  }

  #grow(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + more));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}
