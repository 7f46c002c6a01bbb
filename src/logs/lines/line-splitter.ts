import { isAscii, isUtf8 } from 'node:buffer';
import { decodeText, wholeCharacters } from './decode-text.ts';
import type { Line } from './line.ts';

const newline = 0x0a;
const carriageReturn = 0x0d;

/** How the lines of a piece are decoded; found once for all of them. */
type Encoding = 'ascii' | 'utf8' | 'mixed';

export interface LineSplitterOptions {
  /** Longer lines are cut to this; what goes beyond is counted and never kept. */
  readonly maxLineBytes: number;
  /** Where in the file the first piece begins. */
  readonly offset: number;
}

/**
 * Cuts the pieces of a file into lines, wherever the pieces were cut: `load` one, then ask for `next` until there is none.
 * Keeps the beginning of a line whose end has not come, at most `maxLineBytes` of it. A line ends with LF or CR LF.
 * A byte order mark at the beginning of the file is left out, and so are NUL bytes there: they are the hole that a writer makes
 * who goes on at his old offset after the file was truncated.
 */
export class LineSplitter {
  readonly #maxLineBytes: number;
  #piece: Buffer = Buffer.alloc(0);
  #at = 0;
  /** Offset in the file of the first byte of the piece. */
  #offset: number;
  #encoding: Encoding = 'ascii';
  /** Where the line begins that is being read. */
  #lineStart: number;
  #kept: Buffer = Buffer.alloc(0);
  #keptLength = 0;
  /** Bytes of this line that were not kept. */
  #skipped = 0;
  #skippedLast = 0;
  /** The beginning of this line was given out already. */
  #continues = false;
  #holeBytes = 0;

  constructor({ maxLineBytes, offset }: LineSplitterOptions) {
    this.#maxLineBytes = maxLineBytes;
    this.#offset = offset;
    this.#lineStart = offset;
  }

  /** Offset of the first byte that was not given out as part of a line. */
  get position(): number {
    return this.#lineStart;
  }

  /** Offset of the first byte that was not loaded. */
  get loaded(): number {
    return this.#offset + this.#piece.length;
  }

  /** Bytes of memory that the beginning of a line takes. */
  get keptBytes(): number {
    return this.#kept.length;
  }

  /** NUL bytes that were left out at the beginning of the file. */
  get holeBytes(): number {
    return this.#holeBytes;
  }

  /** Takes the bytes that follow the last ones. They must not change until `next` has nothing more. */
  load(piece: Buffer): void {
    this.#offset = this.loaded;
    this.#piece = piece;
    this.#at = 0;
    if (this.#lineStart === this.#holeBytes && this.#keptLength === 0 && this.#offset === this.#holeBytes)
      this.#skipHole();
    this.#encoding = isAscii(piece) ? 'ascii' : encodingOfLines(piece);
  }

  next(): Line | undefined {
    for (;;) {
      const piece = this.#piece;
      const from = this.#at;
      if (from >= piece.length) return this.#done();
      const to = piece.indexOf(newline, from);
      if (to < 0) {
        this.#keep(from, piece.length);
        return this.#done();
      }
      this.#at = to + 1;
      const start = this.#lineStart;
      const end = this.#offset + to + 1;
      const continues = this.#continues;
      this.#lineStart = end;
      this.#continues = false;
      const line =
        this.#keptLength > 0 || this.#skipped > 0
          ? this.#finish(from, to, start, end)
          : this.#whole(from, to, start, end);
      // The rest of a line whose beginning was given out: when only its end is missing, nothing is missing.
      if (!continues || line.text !== '') return line;
    }
  }

  /** Gives out the beginning of a line whose end does not come; the rest will be a line of its own. */
  takePartial(): Line | undefined {
    const end = this.loaded;
    if (end === this.#lineStart) return undefined;
    const start = this.#lineStart;
    this.#lineStart = end;
    this.#continues = true;
    return this.#joined(start, end, 0);
  }

  /** Forgets what it keeps, so that it must be loaded again from `position`. */
  rewind(): void {
    this.#piece = Buffer.alloc(0);
    this.#at = 0;
    this.#offset = this.#lineStart;
    this.#forget();
  }

  #done(): undefined {
    this.#offset = this.loaded;
    this.#piece = Buffer.alloc(0);
    this.#at = 0;
  }

  /** A line that is in the piece as a whole: nearly all of them. */
  #whole(from: number, to: number, start: number, end: number): Line {
    const piece = this.#piece;
    let last = to > from && piece[to - 1] === carriageReturn ? to - 1 : to;
    let cut = 0;
    if (last - from > this.#maxLineBytes) {
      const length = wholeCharacters(piece.subarray(from, from + this.#maxLineBytes), this.#maxLineBytes);
      cut = last - from - length;
      last = from + length;
    }
    const first = start === 0 ? from + byteOrderMark(piece, from, last) : from;
    if (this.#encoding === 'ascii') {
      return { start, end, text: piece.toString('latin1', first, last), escaped: false, cut, cri: undefined };
    }
    if (this.#encoding === 'utf8') {
      return { start, end, text: piece.toString('utf8', first, last), escaped: false, cut, cri: undefined };
    }
    const { text, escaped } = decodeText(piece.subarray(first, last));
    return { start, end, text, escaped, cut, cri: undefined };
  }

  /** A line that began in an earlier piece. */
  #finish(from: number, to: number, start: number, end: number): Line {
    this.#keep(from, to);
    return this.#joined(start, end, 1);
  }

  /** @param lineEnd 1 when the line has come to its end, so that a CR before it is not part of it */
  #joined(start: number, end: number, lineEnd: 0 | 1): Line {
    let length = this.#keptLength;
    let cut = this.#skipped;
    if (lineEnd === 1) {
      if (cut > 0) cut -= this.#skippedLast === carriageReturn ? 1 : 0;
      else if (length > 0 && this.#kept[length - 1] === carriageReturn) length--;
    }
    if (cut > 0) {
      const whole = wholeCharacters(this.#kept, length);
      cut += length - whole;
      length = whole;
    }
    const first = start === 0 ? byteOrderMark(this.#kept, 0, length) : 0;
    const { text, escaped } = decodeText(this.#kept.subarray(first, length));
    this.#forget();
    return { start, end, text, escaped, cut, cri: undefined };
  }

  #keep(from: number, to: number): void {
    const room = this.#maxLineBytes - this.#keptLength;
    const taken = Math.min(room, to - from);
    if (taken > 0) {
      this.#grow(this.#keptLength + taken);
      this.#piece.copy(this.#kept, this.#keptLength, from, from + taken);
      this.#keptLength += taken;
    }
    if (to - from > taken) {
      this.#skipped += to - from - taken;
      this.#skippedLast = this.#piece[to - 1]!;
    }
  }

  #grow(needed: number): void {
    if (needed <= this.#kept.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.min(this.#maxLineBytes, Math.max(needed, this.#kept.length * 2)));
    this.#kept.copy(grown, 0, 0, this.#keptLength);
    this.#kept = grown;
  }

  #forget(): void {
    this.#kept = Buffer.alloc(0);
    this.#keptLength = 0;
    this.#skipped = 0;
  }

  #skipHole(): void {
    const piece = this.#piece;
    while (this.#at < piece.length && piece[this.#at] === 0) this.#at++;
    this.#holeBytes += this.#at;
    this.#lineStart += this.#at;
  }
}

/** Of the lines that end in a piece: the last one may be cut anywhere. */
function encodingOfLines(piece: Buffer): Encoding {
  const end = piece.lastIndexOf(newline);
  return isUtf8(end < 0 ? piece : piece.subarray(0, end)) ? 'utf8' : 'mixed';
}

function byteOrderMark(bytes: Buffer, from: number, to: number): 0 | 3 {
  return to - from >= 3 && bytes[from] === 0xef && bytes[from + 1] === 0xbb && bytes[from + 2] === 0xbf ? 3 : 0;
}
