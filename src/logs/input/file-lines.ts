import { createFraming, LineSplitter, type Framing, type Line } from '../lines/index.ts';
import type { InputConfig } from './config.ts';

/**
 * Why what waits for its end comes out although its end has not come. due: when it has waited long enough. replaced: the file
 * is another one from here on. read: nothing will be added any more.
 */
export type Ending = 'no' | 'due' | 'replaced' | 'read';

/** Makes lines, or records of several lines, of the bytes of a file, and knows how far that has come. */
export class FileLines {
  #input: InputConfig;
  #splitter: LineSplitter;
  #framing: Framing | undefined;
  #ending: Ending = 'no';
  /** Of the NUL bytes that were left out, those that the caller knows of. */
  #holeBytes = 0;
  #lastData: number;

  /** @param now milliseconds, never jumping, as all times here */
  constructor(input: InputConfig, offset: number, now: number) {
    this.#input = input;
    this.#splitter = splitter(input, offset);
    this.#framing = createFraming(framingOptions(input));
    this.#lastData = now;
  }

  /** Where the next bytes are read from. */
  get loaded(): number {
    return this.#splitter.loaded;
  }

  /** Where reading has to go on if all that was given out is acknowledged. */
  get resume(): number {
    const waiting = this.#framing?.pendingStart ?? Infinity;
    return Math.min(this.#splitter.position, waiting);
  }

  /** When bytes came last. */
  get lastData(): number {
    return this.#lastData;
  }

  /** Takes the bytes that follow the last ones. They must not change until `next` has nothing more. */
  load(piece: Buffer, now: number): { readonly holeBytes: number } {
    this.#lastData = now;
    this.#splitter.load(piece);
    const known = this.#holeBytes;
    this.#holeBytes = this.#splitter.holeBytes;
    return { holeBytes: Math.max(0, this.#holeBytes - known) };
  }

  /** What was loaded is the last that comes, for now or for ever. */
  endWith(ending: Ending): void {
    this.#ending = ending;
  }

  /** Nothing will be added any more. What is about to begin anew does so. */
  finish(): void {
    if (this.#ending === 'no' || this.#ending === 'due') this.#ending = 'read';
  }

  /** The next record of what was loaded; undefined when there is none, and more has to be loaded. */
  next(now: number): Line | undefined {
    for (let line = this.#splitter.next(); line !== undefined; line = this.#splitter.next()) {
      const framed = this.#framing === undefined ? line : this.#framing.push(line, now);
      if (framed !== undefined) return framed;
    }
    return this.#ending === 'no' ? undefined : this.#takeWaiting(now);
  }

  /** How it ended, when `next` has nothing more. */
  takeEnding(): Ending {
    const ending = this.#ending;
    this.#ending = 'no';
    return ending;
  }

  /** Forgets what was loaded and not given out. */
  goOnFrom(offset: number): void {
    this.#splitter = splitter(this.#input, offset);
    this.#framing = createFraming(framingOptions(this.#input));
    this.#holeBytes = 0;
    this.#ending = 'no';
  }

  /** Goes on with other options. @returns whether lines are made otherwise, so that what was not given out must be read again */
  configure(input: InputConfig): boolean {
    const shown = (options: InputConfig) => JSON.stringify(framingOptions(options), showPattern);
    const same = shown(input) === shown(this.#input);
    this.#input = input;
    return !same;
  }

  /** What comes out although its end has not come. */
  #takeWaiting(now: number): Line | undefined {
    const everything = this.#ending !== 'due';
    if (everything || now - this.#lastData >= this.#input.partial_line_timeout) {
      const partial = this.#splitter.takePartial();
      if (partial !== undefined) {
        const framed = this.#framing === undefined ? partial : this.#framing.push(partial, now);
        if (framed !== undefined) return framed;
      }
    }
    return this.#framing?.take(everything ? Infinity : now);
  }
}

function splitter(input: InputConfig, offset: number): LineSplitter {
  return new LineSplitter({ maxLineBytes: input.max_line_bytes, offset });
}

function framingOptions(input: InputConfig) {
  const { multiline } = input;
  return {
    format: input.format,
    maxLineBytes: input.max_line_bytes,
    partialTimeout: input.partial_line_timeout,
    multiline:
      multiline === undefined
        ? undefined
        : {
            start: multiline.start_pattern,
            continuation: multiline.continuation_pattern,
            timeout: multiline.timeout,
            maxLines: multiline.max_lines,
            maxBytes: multiline.max_bytes,
          },
  };
}

function showPattern(_key: string, value: unknown): unknown {
  return value instanceof RegExp ? value.source : value;
}
