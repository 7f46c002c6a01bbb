import { DynamicTable } from './dynamic-table.ts';
import { decodeHuffman } from './huffman.ts';
import { staticLength, staticNames, staticValues } from './static-table.ts';

/** How large a list of fields may be. */
export interface HeaderListLimits {
  /** Bytes of names and values, with 32 for each field (RFC 9113 §6.5.2). */
  readonly maxSize: number;
  readonly maxCount: number;
}

/** What a block says. Beyond the limits fields are counted and not kept. */
export interface HeaderList {
  /** Name, value, name, value …; one code unit a byte, nothing checked. */
  readonly flat: string[];
  size: number;
  count: number;
  /** There were more fields than may be kept. */
  exceeded: boolean;
}

/** Why a block cannot be read; the connection cannot go on, because both sides' tables differ from now on (RFC 9113 §4.3). */
export type CompressionFault =
  | 'hpack_truncated'
  | 'hpack_integer_too_large'
  | 'hpack_index_invalid'
  | 'hpack_huffman_invalid'
  | 'hpack_table_size_too_large'
  | 'hpack_table_size_late';

/** More bytes behind a prefix are more than any length here can be: 2^28 and above. */
const mostIntegerBytes = 4;
/** A change of the size, and one before it to say how small it was in between (RFC 7541 §4.2). */
const mostResizes = 2;

/** Reads blocks of compressed fields (RFC 7541), one connection's one after the other. */
export class HeaderDecoder {
  readonly #table: DynamicTable;
  readonly #maxTableSize: number;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;
  #fault: CompressionFault | undefined;

  /** @param maxTableSize bytes, as SETTINGS_HEADER_TABLE_SIZE says */
  constructor(maxTableSize = 4096) {
    this.#maxTableSize = maxTableSize;
    this.#table = new DynamicTable(maxTableSize);
  }

  /** Reads a whole block. Whatever the limits, it is read to its end, so that the table stays what the peer thinks it is. */
  decode(bytes: Buffer, start: number, end: number, limits: HeaderListLimits): HeaderList | CompressionFault {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#fault = undefined;
    const list: HeaderList = { flat: [], size: 0, count: 0, exceeded: false };
    this.#resizes();
    while (this.#at < end && this.#fault === undefined) {
      const first = bytes[this.#at]!;
      if ((first & 0x80) !== 0) this.#indexed(list, limits);
      else if ((first & 0xe0) === 0x20) this.#fault ??= 'hpack_table_size_late';
      else this.#literal(list, limits, (first & 0x40) !== 0);
    }
    return this.#fault ?? list;
  }

  /** RFC 7541 §6.3, §4.2: only at the start of a block. */
  #resizes(): void {
    for (let count = 0; count < mostResizes && this.#at < this.#end; count++) {
      if ((this.#bytes[this.#at]! & 0xe0) !== 0x20) return;
      const size = this.#integer(0x1f);
      if (size > this.#maxTableSize) this.#fault ??= 'hpack_table_size_too_large';
      if (this.#fault !== undefined) return;
      this.#table.resize(size);
    }
  }

  /** RFC 7541 §6.1. */
  #indexed(list: HeaderList, limits: HeaderListLimits): void {
    const index = this.#integer(0x7f);
    if (index >= 1 && index <= staticLength) {
      add(list, staticNames[index]!, staticValues[index]!, limits);
    } else {
      const place = index - staticLength - 1;
      if (place < 0 || place >= this.#table.count) this.#fault ??= 'hpack_index_invalid';
      else add(list, this.#table.name(place), this.#table.value(place), limits);
    }
  }

  /** RFC 7541 §6.2. Whether a field is never to be indexed makes no difference to us: what the app is sent is not compressed. */
  #literal(list: HeaderList, limits: HeaderListLimits, keep: boolean): void {
    const index = this.#integer(keep ? 0x3f : 0x0f);
    const name = index === 0 ? this.#text() : this.#nameOf(index);
    const value = this.#fault === undefined ? this.#text() : '';
    if (this.#fault !== undefined) return;
    if (keep) this.#table.add(name, value);
    add(list, name, value, limits);
  }

  #nameOf(index: number): string {
    if (index <= staticLength) return staticNames[index]!;
    const place = index - staticLength - 1;
    if (place < this.#table.count) return this.#table.name(place);
    this.#fault ??= 'hpack_index_invalid';
    return '';
  }

  /** RFC 7541 §5.2. */
  #text(): string {
    if (this.#at >= this.#end) {
      this.#fault ??= 'hpack_truncated';
      return '';
    }
    const coded = (this.#bytes[this.#at]! & 0x80) !== 0;
    const length = this.#integer(0x7f);
    const start = this.#at;
    const end = start + length;
    if (this.#fault !== undefined) return '';
    if (end > this.#end) {
      this.#fault = 'hpack_truncated';
      return '';
    }
    this.#at = end;
    if (!coded) return this.#bytes.toString('latin1', start, end);
    const text = decodeHuffman(this.#bytes, start, end);
    if (text === undefined) this.#fault = 'hpack_huffman_invalid';
    return text ?? '';
  }

  /** RFC 7541 §5.1. @param mask the bits of the prefix */
  #integer(mask: number): number {
    const bytes = this.#bytes;
    let value = bytes[this.#at++]! & mask;
    if (value < mask) return value;
    for (let count = 0; count < mostIntegerBytes; count++) {
      if (this.#at >= this.#end) {
        this.#fault ??= 'hpack_truncated';
        return 0;
      }
      const byte = bytes[this.#at++]!;
      value += (byte & 0x7f) << (7 * count);
      if ((byte & 0x80) === 0) return value;
    }
    this.#fault ??= 'hpack_integer_too_large';
    return 0;
  }
}

function add(list: HeaderList, name: string, value: string, limits: HeaderListLimits): void {
  list.count++;
  list.size += name.length + value.length + 32;
  if (list.count > limits.maxCount || list.size > limits.maxSize) list.exceeded = true;
  else list.flat.push(name, value);
}
