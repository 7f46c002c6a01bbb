import { errorCode, frameFault, type FrameFault } from './error-code.ts';
import { flag, frameHeadLength, frameType, headFault } from './frame.ts';

/** Where frames go. Whoever has had enough calls `stop` of the reader. */
export interface FrameSink {
  /** A frame of any type but DATA: its payload is `bytes` from `start` to `end`, which may be kept. */
  frame(type: number, flags: number, stream: number, bytes: Buffer, start: number, end: number): void;
  /**
   * A DATA frame begins; pieces of its content follow as they arrive, then its end.
   * @param length bytes that count for flow control
   * @param padding bytes of these that are padding
   */
  dataBegins(stream: number, length: number, padding: number): void;
  data(piece: Buffer): void;
  dataEnds(endStream: boolean): void;
  /** The connection cannot go on. Nothing follows. */
  fault(fault: FrameFault): void;
}

const paddingTooLong = frameFault(errorCode.PROTOCOL_ERROR, 'http2_padding_too_long');
const nothing = Buffer.alloc(0);

/**
 * Cuts a stream of bytes into frames (RFC 9113 §4.1). What lies in one piece is not copied; of a frame that does not, at
 * most {@link maxFrameLength} bytes are kept. Content is passed on as it arrives, without padding.
 */
export class FrameReader {
  readonly #sink: FrameSink;
  #stopped = false;
  /** The beginning of a frame, of which `#have` bytes are here. */
  #partial: Buffer = nothing;
  #have = 0;
  /** Of a DATA frame that has begun: its head, and what is left of it. */
  #data: 'none' | 'padding length' | 'content' = 'none';
  #stream = 0;
  #flags = 0;
  #length = 0;
  #contentLeft = 0;
  #paddingLeft = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Nothing more is passed on. */
  stop(): void {
    this.#stopped = true;
    this.#partial = nothing;
  }

  read(bytes: Buffer, start = 0): void {
    let at = start;
    while (at < bytes.length && !this.#stopped) {
      if (this.#data !== 'none') at = this.#readData(bytes, at);
      else if (this.#have > 0) at = this.#assemble(bytes, at);
      else at = this.#readFrame(bytes, at);
    }
  }

  #readFrame(bytes: Buffer, at: number): number {
    const left = bytes.length - at;
    if (left < frameHeadLength) return this.#keep(bytes, at, frameHeadLength);
    const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
    const type = bytes[at + 3]!;
    if (this.#begin(type, bytes[at + 4]!, streamAt(bytes, at + 5), length)) return at + frameHeadLength;
    const end = at + frameHeadLength + length;
    if (end > bytes.length) return this.#stopped ? bytes.length : this.#keep(bytes, at, frameHeadLength + length);
    if (!this.#stopped) this.#sink.frame(type, this.#flags, this.#stream, bytes, at + frameHeadLength, end);
    return end;
  }

  #keep(bytes: Buffer, at: number, room: number): number {
    // Of its own: cut from a larger piece it would keep all of that for as long as the client takes.
    this.#partial = Buffer.allocUnsafeSlow(room);
    this.#have = bytes.copy(this.#partial, 0, at);
    return bytes.length;
  }

  /** Goes on with a frame whose beginning came before. */
  #assemble(bytes: Buffer, from: number): number {
    let at = from;
    if (this.#have < frameHeadLength) {
      at += this.#fill(bytes, at, frameHeadLength);
      if (this.#have < frameHeadLength) return at;
      const head = this.#partial;
      const length = (head[0]! << 16) | (head[1]! << 8) | head[2]!;
      if (this.#begin(head[3]!, head[4]!, streamAt(head, 5), length) || this.#stopped) {
        this.#forget();
        return at;
      }
      this.#partial = Buffer.allocUnsafeSlow(frameHeadLength + length);
      head.copy(this.#partial, 0, 0, frameHeadLength);
    }
    const whole = frameHeadLength + this.#length;
    at += this.#fill(bytes, at, whole);
    if (this.#have < whole) return at;
    const frame = this.#partial;
    this.#forget();
    this.#sink.frame(frame[3]!, this.#flags, this.#stream, frame, frameHeadLength, whole);
    return at;
  }

  #fill(bytes: Buffer, at: number, until: number): number {
    const taken = bytes.copy(this.#partial, this.#have, at, at + until - this.#have);
    this.#have += taken;
    return taken;
  }

  #forget(): void {
    this.#partial = nothing;
    this.#have = 0;
  }

  /** Takes note of a frame's head. Says whether it is DATA, whose payload is not collected. */
  #begin(type: number, flags: number, stream: number, length: number): boolean {
    this.#flags = flags;
    this.#stream = stream;
    this.#length = length;
    const fault = headFault(type, flags, stream, length);
    if (fault !== undefined) {
      this.#fail(fault);
      return false;
    }
    if (type !== frameType.DATA) return false;
    if ((flags & flag.PADDED) !== 0) this.#data = 'padding length';
    else this.#beginContent(0);
    return true;
  }

  /** @param padding bytes, with the one that says how many */
  #beginContent(padding: number): void {
    this.#data = 'content';
    this.#contentLeft = this.#length - padding;
    this.#paddingLeft = padding === 0 ? 0 : padding - 1;
    this.#sink.dataBegins(this.#stream, this.#length, padding);
    this.#endData();
  }

  #readData(bytes: Buffer, from: number): number {
    let at = from;
    if (this.#data === 'padding length') {
      const padding = bytes[at++]!;
      if (padding >= this.#length) {
        this.#fail(paddingTooLong);
        return bytes.length;
      }
      this.#beginContent(padding + 1);
      return at;
    }
    const end = Math.min(bytes.length, at + this.#contentLeft);
    if (end > at) {
      this.#contentLeft -= end - at;
      this.#sink.data(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end));
      at = end;
    }
    const skipped = Math.min(bytes.length - at, this.#paddingLeft);
    this.#paddingLeft -= skipped;
    this.#endData();
    return at + skipped;
  }

  #endData(): void {
    if (this.#contentLeft > 0 || this.#paddingLeft > 0 || this.#stopped) return;
    this.#data = 'none';
    this.#sink.dataEnds((this.#flags & flag.END_STREAM) !== 0);
  }

  #fail(fault: FrameFault): void {
    this.stop();
    this.#sink.fault(fault);
  }
}

/** The reserved bit is ignored (RFC 9113 §4.1). */
function streamAt(bytes: Buffer, at: number): number {
  return ((bytes[at]! & 0x7f) << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}
