/** Writes protobuf messages; what is absent is what the caller does not write. Source: protobuf.dev, encoding. */
export class ProtobufWriter {
  #bytes = Buffer.allocUnsafe(1024);
  #length = 0;

  /** A copy. */
  finish(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#length));
  }

  text(field: number, value: string): this {
    this.varint((field << 3) | 2);
    if (this.#shortAscii(value)) return this;
    const length = Buffer.byteLength(value);
    this.varint(length).#grow(length);
    this.#length += this.#bytes.write(value, this.#length);
    return this;
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

  /** @param write gets this writer, which writes into the message meanwhile */
  message(field: number, write: (inner: ProtobufWriter) => void): this {
    this.varint((field << 3) | 2);
    this.#grow(1);
    // Most messages are shorter than 128 bytes, whose length takes one; what is longer is moved.
    const start = ++this.#length;
    write(this);
    const size = this.#length - start;
    const more = varintSize(size) - 1;
    if (more > 0) {
      this.#grow(more);
      this.#bytes.copyWithin(start + more, start, this.#length);
    }
    this.#length = start - 1;
    this.varint(size);
    this.#length += size;
    return this;
  }

  /** int64, uint32, bool or an enumeration: an integer that a JavaScript number holds exactly. */
  integer(field: number, value: number): this {
    return this.varint(field << 3).varint(value);
  }

  packed(field: number, values: readonly number[]): this {
    return this.message(field, () => {
      for (const value of values) this.varint(value);
    });
  }

  double(field: number, value: number): this {
    return this.varint((field << 3) | 1).#double(value);
  }

  packedDoubles(field: number, values: readonly number[]): this {
    return this.message(field, () => {
      for (const value of values) this.#double(value);
    });
  }

  /** fixed64, or the bits of a double that JavaScript cannot hold, such as one NaN among others. */
  fixed64(field: number, bits: bigint): this {
    return this.varint((field << 3) | 1).#eightBytes(bits);
  }

  packedFixed64(field: number, values: readonly bigint[]): this {
    return this.message(field, () => {
      for (const value of values) this.#eightBytes(value);
    });
  }

  fixed32(field: number, value: number): this {
    this.varint((field << 3) | 5).#grow(4);
    this.#length = this.#bytes.writeUInt32LE(value, this.#length);
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

  /** Names and most values are such text, for which a call into the runtime costs more than the writing. */
  #shortAscii(value: string): boolean {
    if (value.length > 63) return false;
    this.#grow(64);
    const bytes = this.#bytes;
    let at = this.#length;
    bytes[at++] = value.length;
    for (let index = 0; index < value.length; index++) {
      const code = value.charCodeAt(index);
      if (code > 0x7f) return false;
      bytes[at++] = code;
    }
    this.#length = at;
    return true;
  }

  #double(value: number): this {
    this.#grow(8);
    this.#length = this.#bytes.writeDoubleLE(value, this.#length);
    return this;
  }

  #eightBytes(bits: bigint): this {
    this.#grow(8);
    this.#length = this.#bytes.writeBigUInt64LE(bits, this.#length);
    return this;
  }

  #grow(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + more));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

function varintSize(value: number): number {
  let size = 1;
  for (; value > 0x7f; value = Math.floor(value / 0x80)) size++;
  return size;
}
