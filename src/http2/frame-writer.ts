import type { ErrorCode } from './error-code.ts';
import { flag, frameHeadLength, frameType, maxFrameLength } from './frame.ts';

const nothing = Buffer.alloc(0);
/** First room for what leaves in one write: an answer with its head and a little content. */
const firstRoom = 512;
/** Below this, text is written faster here than by a call into C++. */
const shortText = 24;

/** Content up to this size is copied behind the head of its frame; larger is passed on as it is. */
const mostCopied = 2048;

/** Puts frames behind each other until they are taken. */
export class FrameWriter {
  /** What is not in pieces yet lies from `#from` to `#at`. */
  #bytes: Buffer = nothing;
  #from = 0;
  #at = 0;
  #blockStart = 0;
  #pieces: Uint8Array[] = [];
  #inPieces = 0;

  /** Bytes that wait to be taken. */
  get length(): number {
    return this.#inPieces + this.#at - this.#from;
  }

  /** All there is, mostly in one piece, and in several with large content. Nothing is written to them any more. */
  take(): readonly Uint8Array[] {
    this.#cut();
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#inPieces = 0;
    this.#bytes = nothing;
    this.#from = this.#at = 0;
    return pieces;
  }

  /** Makes room for so many further bytes. */
  reserve(count: number): void {
    if (this.#at + count <= this.#bytes.length) return;
    const length = this.#at - this.#from;
    const larger = Buffer.allocUnsafe(Math.max(length + count, 2 * length, firstRoom));
    if (length > 0) this.#bytes.copy(larger, 0, this.#from, this.#at);
    this.#blockStart -= this.#from;
    this.#bytes = larger;
    this.#from = 0;
    this.#at = length;
  }

  /** @param values identifier, value, identifier, value … */
  settings(values: readonly number[]): void {
    this.reserve(frameHeadLength + 3 * values.length);
    this.#head(3 * values.length, frameType.SETTINGS, 0, 0);
    for (let index = 0; index < values.length; index += 2) {
      this.#bytes[this.#at++] = values[index]! >> 8;
      this.#bytes[this.#at++] = values[index]!;
      this.#uint32(values[index + 1]!);
    }
  }

  settingsAck(): void {
    this.reserve(frameHeadLength);
    this.#head(0, frameType.SETTINGS, flag.ACK, 0);
  }

  /** @param opaque eight bytes, from `start` */
  ping(ack: boolean, opaque: Buffer, start: number): void {
    this.reserve(frameHeadLength + 8);
    this.#head(8, frameType.PING, ack ? flag.ACK : 0, 0);
    this.#at += opaque.copy(this.#bytes, this.#at, start, start + 8);
  }

  goaway(lastStream: number, code: ErrorCode): void {
    this.reserve(frameHeadLength + 8);
    this.#head(8, frameType.GOAWAY, 0, 0);
    this.#uint32(lastStream);
    this.#uint32(code);
  }

  reset(stream: number, code: ErrorCode): void {
    this.reserve(frameHeadLength + 4);
    this.#head(4, frameType.RST_STREAM, 0, stream);
    this.#uint32(code);
  }

  windowUpdate(stream: number, increment: number): void {
    this.reserve(frameHeadLength + 4);
    this.#head(4, frameType.WINDOW_UPDATE, 0, stream);
    this.#uint32(increment);
  }

  /** At most {@link maxFrameLength} bytes of content, from `start` to `end`, which must not change afterwards. */
  data(stream: number, bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    const length = end - start;
    const copied = length <= mostCopied;
    this.reserve(frameHeadLength + (copied ? length : 0));
    this.#head(length, frameType.DATA, endStream ? flag.END_STREAM : 0, stream);
    const content = start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
    if (copied) {
      this.#bytes.set(content, this.#at);
      this.#at += length;
    } else {
      this.#cut();
      this.#pieces.push(content);
      this.#inPieces += length;
    }
  }

  /** What has been written becomes a piece. */
  #cut(): void {
    if (this.#at === this.#from) return;
    this.#pieces.push(this.#bytes.subarray(this.#from, this.#at));
    this.#inPieces += this.#at - this.#from;
    this.#from = this.#at;
  }

  /** Begins a block of fields; the encoder writes behind it, until {@link FrameWriter.endBlock}. */
  beginBlock(): void {
    this.reserve(frameHeadLength);
    this.#blockStart = this.#at;
    this.#at += frameHeadLength;
  }

  endBlock(stream: number, endStream: boolean): void {
    const start = this.#blockStart;
    const length = this.#at - start - frameHeadLength;
    const ends = endStream ? flag.END_STREAM : 0;
    if (length > maxFrameLength) return this.#splitBlock(stream, ends);
    this.#at = start;
    this.#head(length, frameType.HEADERS, flag.END_HEADERS | ends, stream);
    this.#at += length;
  }

  byte(value: number): void {
    this.reserve(1);
    this.#bytes[this.#at++] = value;
  }

  /** RFC 7541 §5.1. @param first the bits before the prefix @param mask the bits of the prefix */
  integer(first: number, mask: number, value: number): void {
    this.reserve(6);
    if (value < mask) {
      this.#bytes[this.#at++] = first | value;
      return;
    }
    this.#bytes[this.#at++] = first | mask;
    let left = value - mask;
    for (; left >= 128; left >>>= 7) this.#bytes[this.#at++] = (left & 127) | 128;
    this.#bytes[this.#at++] = left;
  }

  /** RFC 7541 §5.2, without Huffman coding: one code unit is one byte. */
  text(text: string): void {
    const { length } = text;
    this.reserve(length + 6);
    this.integer(0, 0x7f, length);
    if (length > shortText) {
      this.#at += this.#bytes.write(text, this.#at, 'latin1');
      return;
    }
    const bytes = this.#bytes;
    let at = this.#at;
    for (let index = 0; index < length; index++) bytes[at++] = text.charCodeAt(index);
    this.#at = at;
  }

  /** RFC 9113 §6.10: what does not fit one frame goes on in others. */
  #splitBlock(stream: number, ends: number): void {
    const block = Buffer.from(this.#bytes.subarray(this.#blockStart + frameHeadLength, this.#at));
    this.#at = this.#blockStart;
    for (let from = 0; from < block.length; from += maxFrameLength) {
      const to = Math.min(from + maxFrameLength, block.length);
      this.reserve(frameHeadLength + to - from);
      const last = to === block.length ? flag.END_HEADERS : 0;
      if (from === 0) this.#head(to, frameType.HEADERS, last | ends, stream);
      else this.#head(to - from, frameType.CONTINUATION, last, stream);
      this.#at += block.copy(this.#bytes, this.#at, from, to);
    }
  }

  #head(length: number, type: number, flags: number, stream: number): void {
    const bytes = this.#bytes;
    const at = this.#at;
    bytes[at] = length >> 16;
    bytes[at + 1] = length >> 8;
    bytes[at + 2] = length;
    bytes[at + 3] = type;
    bytes[at + 4] = flags;
    bytes[at + 5] = stream >> 24;
    bytes[at + 6] = stream >> 16;
    bytes[at + 7] = stream >> 8;
    bytes[at + 8] = stream;
    this.#at = at + frameHeadLength;
  }

  #uint32(value: number): void {
    const bytes = this.#bytes;
    bytes[this.#at++] = value >> 24;
    bytes[this.#at++] = value >> 16;
    bytes[this.#at++] = value >> 8;
    bytes[this.#at++] = value;
  }
}
