import { wireFault, type WireFault } from './fault.ts';

const headEnd = Buffer.from('\r\n\r\n');
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
  #kept: Buffer | undefined;
  #emptyLines = 0;

  /** @param limit bytes of start line and fields together; beyond it the fault is 431 (RFC 6585 §5) */
  constructor(limit: number) {
    this.#limit = limit;
    this.#tooLarge = wireFault(431, 'header_section_too_large');
  }

  /** Some bytes of an unfinished head are here. */
  get begun(): boolean {
    return this.#kept !== undefined;
  }

  /** Undefined when more bytes are needed. */
  read(chunk: Buffer): ReadHead | WireFault | undefined {
    const before = this.#kept;
    let bytes = before === undefined ? chunk : Buffer.concat([before, chunk]);
    while (bytes.length >= 2 && bytes[0] === 13 && bytes[1] === 10) {
      if (++this.#emptyLines > mostEmptyLines) return wireFault(400, 'too_many_empty_lines');
      bytes = bytes.subarray(2);
    }
    // The end may straddle two chunks: three bytes of the old ones are looked at again.
    const from = before === undefined || bytes.length < chunk.length + 3 ? 0 : bytes.length - chunk.length - 3;
    const end = bytes.indexOf(headEnd, from);
    if (end < 0) {
      const early = earlyFault(bytes);
      if (early !== undefined) return early;
      if (bytes.length > this.#limit) return this.#tooLarge;
      this.#kept = bytes.length === 0 ? undefined : bytes;
      return undefined;
    }
    if (end > this.#limit) return this.#tooLarge;
    this.#kept = undefined;
    this.#emptyLines = 0;
    return { text: bytes.toString('latin1', 0, end + 2), rest: bytes.subarray(end + 4) };
  }
}

/** What can never become a head is refused at once instead of waiting for an end that may not come. */
function earlyFault(bytes: Buffer): WireFault | undefined {
  const lineFeed = bytes.indexOf(10);
  if (lineFeed >= 0 && (lineFeed === 0 || bytes[lineFeed - 1] !== 13)) return wireFault(400, 'bare_line_feed');
  const carriageReturn = bytes.indexOf(13);
  if (carriageReturn >= 0 && carriageReturn < bytes.length - 1 && bytes[carriageReturn + 1] !== 10)
    return wireFault(400, 'bare_carriage_return');
  if (bytes.length > 0 && bytes[0]! <= 32 && bytes[0] !== 13) return wireFault(400, 'request_line_invalid');
  return undefined;
}
