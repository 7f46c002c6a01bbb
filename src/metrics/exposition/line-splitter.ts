import { isUtf8 } from 'node:buffer';

const newline = 0x0a;

export interface LineReader {
  /** One line: `text` from `start` until `end`, without its line feed. */
  line(text: string, start: number, end: number): void;
  /** A line that is longer than allowed, or not UTF-8; its text was not kept. */
  unreadable(reason: string): void;
}

/**
 * Cuts bytes into lines, whatever chunks they come in. A chunk is decoded at once and its lines are told as places in that text,
 * because cutting a string per line costs more than reading it. Keeps at most one unfinished line, of at most `longest` bytes.
 */
export class LineSplitter {
  readonly #reader: LineReader;
  readonly #longest: number;
  #rest: Buffer[] = [];
  #restBytes = 0;
  /** Within a line that was longer than allowed: what follows is skipped up to the line feed. */
  #skipping = false;
  #atStart = true;
  #endedOpen = false;

  constructor(reader: LineReader, longest: number) {
    this.#reader = reader;
    this.#longest = longest;
  }

  /** Whether the last line had no line feed; known after `end`. */
  get endedOpen(): boolean {
    return this.#endedOpen;
  }

  write(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#skipping) {
      const next = bytes.indexOf(newline);
      if (next < 0) return;
      this.#skipping = false;
      bytes = bytes.subarray(next + 1);
    }
    const last = bytes.lastIndexOf(newline);
    if (last < 0) {
      this.#keep(bytes);
      return;
    }
    const whole = bytes.subarray(0, last + 1);
    this.#read(this.#restBytes === 0 ? whole : Buffer.concat([...this.#rest, whole]));
    this.#rest = [];
    this.#restBytes = 0;
    this.#keep(bytes.subarray(last + 1));
  }

  /** The last line may lack its line feed. */
  end(): void {
    if (this.#restBytes === 0) return;
    this.#endedOpen = true;
    this.#read(Buffer.concat(this.#rest));
    this.#rest = [];
    this.#restBytes = 0;
  }

  #keep(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#rest.push(bytes);
    this.#restBytes += bytes.length;
    if (this.#restBytes <= this.#longest) return;
    this.#rest = [];
    this.#restBytes = 0;
    this.#skipping = true;
    this.#tooLong();
  }

  #read(block: Buffer): void {
    let bytes = block;
    if (this.#atStart) {
      this.#atStart = false;
      // A byte order mark is no part of the first line.
      if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) bytes = bytes.subarray(3);
    }
    if (isUtf8(bytes)) this.#readText(bytes.toString('utf8'));
    else this.#readOneByOne(bytes);
  }

  #readText(text: string): void {
    let start = 0;
    while (start < text.length) {
      let end = text.indexOf('\n', start);
      if (end < 0) end = text.length;
      if (end - start > this.#longest) this.#tooLong();
      else this.#reader.line(text, start, end);
      start = end + 1;
    }
  }

  /** Some line is not UTF-8: only that one is to blame. */
  #readOneByOne(bytes: Buffer): void {
    let start = 0;
    while (start < bytes.length) {
      let end = bytes.indexOf(newline, start);
      if (end < 0) end = bytes.length;
      const line = bytes.subarray(start, end);
      if (isUtf8(line)) this.#readText(`${line.toString('utf8')}\n`);
      else this.#reader.unreadable('is not UTF-8');
      start = end + 1;
    }
  }

  #tooLong(): void {
    this.#reader.unreadable(`is longer than ${this.#longest} bytes`);
  }
}
