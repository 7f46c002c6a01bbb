import { entryOverhead } from './dynamic-table.ts';
import type { FrameWriter } from './frame-writer.ts';
import { staticIndex, staticLength } from './static-table.ts';

/** A field name as it is written, with what is known of it. Made once a name, so that a block looks nothing up. */
export interface FieldName {
  /** In lower case (RFC 9113 §8.2). */
  readonly text: string;
  /** Index in the static table, or 0. */
  readonly index: number;
  /** Its values are secrets that must not be guessed by their compressed size (RFC 7541 §7.1.3). */
  readonly secret: boolean;
}

export function fieldName(lower: string): FieldName {
  return { text: lower, index: staticIndex.get(lower) ?? 0, secret: lower === 'set-cookie' };
}

/** What was written last for a name: with its place in the table, once it has come twice. */
interface Memory {
  value: string;
  /** Number of the insertion; 0 when it is in no table. */
  insertion: number;
}

/** Longer values rarely repeat. */
const longestKept = 256;
/** Names whose values are remembered. */
const mostNames = 64;

/** RFC 7541 appendix A: entries for `:status`. */
const statusIndex: Readonly<Record<number, number>> = { 200: 8, 204: 9, 206: 10, 304: 11, 400: 12, 404: 13, 500: 14 };

/**
 * Writes blocks of compressed fields (RFC 7541), one connection's one after the other. A field goes into the dynamic table
 * when its value comes a second time: then it costs a byte from there on, and what never repeats pushes nothing out.
 */
export class HeaderEncoder {
  readonly #memories = new Map<FieldName, Memory>();
  /** Sizes of the entries in the table, the oldest first, from `#evicted`. */
  #sizes: number[] = [];
  #size = 0;
  #maxSize: number;
  readonly #limit: number;
  #inserted = 0;
  #evicted = 0;
  /** The peer must be told of a new size at the start of the next block: the smallest there was, and the last (RFC 7541 §4.2). */
  #smallest: number | undefined;

  /** @param limit bytes that the table takes at most, whatever the peer allows */
  constructor(limit = 4096) {
    this.#limit = limit;
    this.#maxSize = limit;
  }

  /** @param allowed bytes, as the peer's SETTINGS_HEADER_TABLE_SIZE says */
  resize(allowed: number): void {
    const size = Math.min(allowed, this.#limit);
    if (size === this.#maxSize && this.#smallest === undefined) return;
    this.#smallest = Math.min(size, this.#smallest ?? size);
    this.#maxSize = size;
    this.#evict(this.#smallest);
  }

  /** Begins a block with the status; it comes before all fields (RFC 9113 §8.3). */
  status(to: FrameWriter, status: number): void {
    this.begin(to);
    const index = statusIndex[status];
    if (index !== undefined) return to.byte(0x80 | index);
    to.byte(0x08);
    to.text(String(status));
  }

  /** Begins a block without a status: trailers. */
  begin(to: FrameWriter): void {
    if (this.#smallest === undefined) return;
    if (this.#smallest < this.#maxSize) to.integer(0x20, 0x1f, this.#smallest);
    to.integer(0x20, 0x1f, this.#maxSize);
    this.#smallest = undefined;
  }

  /** @param value one code unit a byte, a valid field value */
  field(to: FrameWriter, name: FieldName, value: string): void {
    const memory = this.#memories.get(name);
    if (memory === undefined || memory.value !== value) {
      if (memory !== undefined) {
        memory.value = value;
        memory.insertion = 0;
      } else if (this.#memories.size < mostNames && !name.secret) {
        this.#memories.set(name, { value, insertion: 0 });
      }
      return literal(to, name, value, name.secret ? 0x10 : 0, 0x0f);
    }
    if (memory.insertion > this.#evicted) {
      return to.integer(0x80, 0x7f, staticLength + 1 + this.#inserted - memory.insertion);
    }
    const size = name.text.length + value.length + entryOverhead;
    if (value.length > longestKept || size > this.#maxSize) return literal(to, name, value, 0, 0x0f);
    literal(to, name, value, 0x40, 0x3f);
    this.#evict(this.#maxSize - size);
    this.#sizes.push(size);
    this.#size += size;
    memory.insertion = ++this.#inserted;
  }

  #evict(most: number): void {
    let count = 0;
    while (this.#size > most) this.#size -= this.#sizes[count++]!;
    if (count === 0) return;
    this.#sizes = this.#sizes.slice(count);
    this.#evicted += count;
  }
}

function literal(to: FrameWriter, name: FieldName, value: string, first: number, mask: number): void {
  to.integer(first, mask, name.index);
  if (name.index === 0) to.text(name.text);
  to.text(value);
}
