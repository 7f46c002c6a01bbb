import { appendBytes } from './append-bytes.ts';
import { wireFault, type WireFault } from './fault.ts';

const headEnd = Buffer.from('\r\n\r\n');
const nothing = Buffer.alloc(0);
/** Empty lines before a request that are skipped (RFC 9112 §2.2: at least one should be). */
const mostEmptyLines = 2;

/** The head's text and where the bytes behind it start. */
export interface ReadHead {
  readonly text: string;
  /** Bytes behind the head; may be empty. */
  readonly rest: Buffer;
}

/**
 * Collects bytes until a head is whole. A head that arrives in one piece, as nearly all do, is never copied.
 * The text ends with the CRLF of the last field line and is Latin-1, one code unit a byte.
 */
export class HeadReader {
  readonly #limit: number;
  readonly #tooLarge: WireFault;
  /** Room for an unfinished head, of which `#length` bytes are here. Memory of its own: see {@link appendBytes}. */
  #room: Buffer | undefined;
  #length = 0;
  #emptyLines = 0;

  /** @param limit bytes of start line and fields together; beyond it the fault is 431 (RFC 6585 §5) */
  constructor(limit: number) {
    this.#limit = limit;
    this.#tooLarge = wireFault(431, 'header_section_too_large');
  }

  /** Some bytes of an unfinished head are here. */
  get begun(): boolean {
    return this.#length > 0;
  }

  /** Undefined when more bytes are needed. */
  read(chunk: Buffer): ReadHead | WireFault | undefined {
    const before = this.#length;
    let bytes = before === 0 ? chunk : this.#append(chunk);
    while (bytes.length >= 2 && bytes[0] === 13 && bytes[1] === 10) {
      if (++this.#emptyLines > mostEmptyLines) return wireFault(400, 'too_many_empty_lines');
      bytes = bytes.subarray(2);
    }
    // The end may straddle two chunks: three bytes of the old ones are looked at again.
    const from = Math.max(0, Math.min(before, bytes.length - chunk.length) - 3);
    const end = bytes.indexOf(headEnd, from);
    if (end < 0) {
      const early = earlyFault(bytes, from);
      if (early !== undefined) return early;
      if (bytes.length > this.#limit) return this.#tooLarge;
      this.#keep(bytes);
      return undefined;
    }
    if (end > this.#limit) return this.#tooLarge;
    // The room may be filled again: what is behind the head must not live in it.
    const rest = end + 4 === bytes.length ? nothing : bytes.subarray(end + 4);
    this.#room = undefined;
    this.#length = 0;
    this.#emptyLines = 0;
    return { text: bytes.toString('latin1', 0, end + 2), rest };
  }

  #append(chunk: Buffer): Buffer {
    this.#room = appendBytes(this.#room!, this.#length, chunk);
    return this.#room.subarray(0, this.#length + chunk.length);
  }

  #keep(bytes: Buffer): void {
    this.#length = bytes.length;
    // Already in the room, from its beginning on: nothing to move.
    if (this.#room !== undefined && bytes.buffer === this.#room.buffer && bytes.byteOffset === this.#room.byteOffset)
      return;
    const room =
      this.#room?.length === undefined || this.#room.length < bytes.length
        ? Buffer.allocUnsafeSlow(Math.max(256, bytes.length))
        : this.#room;
    bytes.copy(room);
    this.#room = room;
  }
}

/**
 * What can never become a head is refused at once instead of waiting for an end that may not come.
 * @param from where bytes begin that have not been looked at
 */
function earlyFault(bytes: Buffer, from: number): WireFault | undefined {
  // Every one of them, so that it does not matter in which pieces they have come.
  for (let at = bytes.indexOf(10, from); at >= 0; at = bytes.indexOf(10, at + 1)) {
    if (at === 0 || bytes[at - 1] !== 13) return wireFault(400, 'bare_line_feed');
  }
  for (let at = bytes.indexOf(13, from); at >= 0 && at < bytes.length - 1; at = bytes.indexOf(13, at + 1)) {
    if (bytes[at + 1] !== 10) return wireFault(400, 'bare_carriage_return');
  }
  if (bytes.length > 0 && bytes[0]! <= 32 && bytes[0] !== 13) return wireFault(400, 'request_line_invalid');
  return undefined;
}
