import { Headers, mayTrail } from '../http/index.ts';
import { isWireFault, wireFault, type WireFault } from './fault.ts';
import { readFields } from './fields.ts';

/** Most bytes of one chunk-size line with its extensions, and of the trailer section. */
const maxLine = 1024;
const maxTrailers = 8192;
/** Extensions cost parsing and carry nothing: all of a body's together may not be more (CVE-2024-22019). */
const maxExtensions = 16 * 1024;

/** RFC 9112 §7.1: 1*HEXDIG, then extensions, which are checked for control bytes and dropped. Space before them is refused: nobody sends it honestly. */
const sizeLine = /^([0-9A-Fa-f]{1,13})((?:;[\t\x20-\x7e\x80-\xff]*)?)$/;

/** A beginning of such a line. What cannot become one is refused without waiting for its end, which may never come. */
const sizeLineBegun = /^(?:[0-9A-Fa-f]{0,13}|[0-9A-Fa-f]{1,13}(?:;[\t\x20-\x7e\x80-\xff]*)?\r?)$/;
/** A beginning of a trailer line, or of the empty line behind the last one. */
const trailerLineBegun = /^(?:\r?|[!#$%&'*+\-.^`|~0-9A-Za-z]+(?::[\t\x20-\x7e\x80-\xff]*\r?)?)$/;

const trailerLimits = { maxHeadersCount: 100, rejectUnderscores: true };

export interface ChunkedSink {
  data(chunk: Buffer): void;
  /** The last chunk and the trailer section are complete. @param trailers those that may be passed on @param rest what came behind */
  end(trailers: Headers | undefined, rest: Buffer): void;
}

/** Decodes a chunked body, strictly: CRLF only, no leading space, every chunk closed where it says (RFC 9112 §7.1). */
export class ChunkedDecoder {
  #state: 'size' | 'data' | 'data-end' | 'trailers' | 'done' = 'size';
  #left = 0;
  #line = '';
  #extensions = 0;
  /** Where in `#line` the trailer lines end that have been looked at. */
  #trailersRead = 0;

  /** Feeds bytes to the sink. Answers a fault at the first byte that cannot be part of a chunked body. */
  write(bytes: Buffer, sink: ChunkedSink): WireFault | undefined {
    let at = 0;
    for (;;) {
      if (this.#state === 'data') {
        if (at === bytes.length) return undefined;
        const size = Math.min(this.#left, bytes.length - at);
        sink.data(at === 0 && size === bytes.length ? bytes : bytes.subarray(at, at + size));
        at += size;
        this.#left -= size;
        if (this.#left > 0) return undefined;
        this.#state = 'data-end';
      }
      if (this.#state === 'done') return undefined;
      if (at === bytes.length) return undefined;
      if (this.#state === 'data-end') {
        // Exactly CRLF, byte by byte: a bare LF here is how two parsers come to differ.
        const expected = this.#line === '' ? 13 : 10;
        if (bytes[at] !== expected) return wireFault(400, 'chunk_not_terminated');
        at++;
        if (expected === 13) this.#line = '\r';
        else {
          this.#line = '';
          this.#state = 'size';
        }
        continue;
      }
      const fault = this.#state === 'size' ? this.#readSize(bytes, at) : this.#readTrailers(bytes, at, sink);
      if (typeof fault !== 'number') return fault;
      at = fault;
    }
  }

  /** Answers where the next byte is, a fault, or undefined when the line is not complete. */
  #readSize(bytes: Buffer, at: number): number | WireFault | undefined {
    const lineFeed = bytes.indexOf(10, at);
    const end = lineFeed < 0 ? bytes.length : lineFeed + 1;
    if (this.#line.length + end - at > maxLine) return wireFault(400, 'chunk_size_line_too_long');
    this.#line += bytes.toString('latin1', at, end);
    if (lineFeed < 0) return sizeLineBegun.test(this.#line) ? undefined : wireFault(400, 'chunk_size_invalid');
    if (!this.#line.endsWith('\r\n')) return wireFault(400, 'bare_line_feed');
    const match = sizeLine.exec(this.#line.slice(0, -2));
    this.#line = '';
    if (match === null) return wireFault(400, 'chunk_size_invalid');
    this.#extensions += match[2]!.length;
    if (this.#extensions > maxExtensions) return wireFault(400, 'chunk_extensions_too_large');
    this.#left = Number.parseInt(match[1]!, 16);
    this.#state = this.#left === 0 ? 'trailers' : 'data';
    return end;
  }

  #readTrailers(bytes: Buffer, at: number, sink: ChunkedSink): number | WireFault | undefined {
    const before = this.#line.length;
    this.#line += bytes.toString('latin1', at, Math.min(bytes.length, at + maxTrailers + 4 - before));
    const end = this.#line.startsWith('\r\n') ? 0 : this.#line.indexOf('\r\n\r\n');
    if (end < 0)
      return (
        this.#trailersFault() ?? (this.#line.length > maxTrailers ? wireFault(431, 'trailers_too_large') : undefined)
      );
    const section = end === 0 ? '' : this.#line.slice(0, end + 2);
    const consumed = (end === 0 ? 2 : end + 4) - before;
    this.#state = 'done';
    const fields = readFields(section, 0, trailerLimits);
    if (isWireFault(fields)) return fields;
    const trailers = Headers.parsed(fields.flat);
    trailers.filter(mayTrail);
    sink.end(trailers.size === 0 ? undefined : trailers, bytes.subarray(at + consumed));
    return undefined;
  }

  /** What is wrong with the trailers so far: lines that are whole, and the one that has begun. */
  #trailersFault(): WireFault | undefined {
    const begun = this.#line.lastIndexOf('\r\n') + 2;
    if (begun > this.#trailersRead && begun > 1) {
      this.#trailersRead = begun;
      const fields = readFields(this.#line.slice(0, begun), 0, trailerLimits);
      if (isWireFault(fields)) return fields;
    }
    const line = begun > 1 ? this.#line.slice(begun) : this.#line;
    if (trailerLineBegun.test(line)) return undefined;
    return wireFault(400, /[\r\n]/.test(line) ? 'bare_line_feed' : 'trailer_invalid');
  }
}
