import type { Framing } from './framing.ts';
import type { Line } from './line.ts';

export interface MultilineOptions {
  /** Either: what a line looks like that begins a record. */
  readonly start?: RegExp | undefined;
  /** Or: what a line looks like that belongs to the one before it. */
  readonly continuation?: RegExp | undefined;
  /** Milliseconds after the last line when a record is taken to be complete. */
  readonly timeout: number;
  readonly maxLines: number;
  readonly maxBytes: number;
}

/** Characters of a line that a pattern is tried on, so that no pattern takes long. */
const tried = 1024;

/** Joins lines that belong together, such as those of a stack trace. What is too long becomes several records: nothing is lost. */
export class Multiline implements Framing {
  readonly #options: MultilineOptions;
  readonly #begins: (text: string) => boolean;
  #lines: Line[] = [];
  #lastAt = 0;

  constructor(options: MultilineOptions) {
    this.#options = options;
    const { start, continuation } = options;
    const text = (line: string) => (line.length > tried ? line.slice(0, tried) : line);
    if (start !== undefined) this.#begins = (line) => start.test(text(line));
    else if (continuation !== undefined) this.#begins = (line) => !continuation.test(text(line));
    else throw new Error('multiline needs a pattern');
  }

  get pendingStart(): number {
    return this.#lines[0]?.start ?? Infinity;
  }

  push(line: Line, now: number): Line | undefined {
    const first = this.#lines[0];
    const { maxLines, maxBytes } = this.#options;
    const full = first !== undefined && (this.#lines.length >= maxLines || line.end - first.start > maxBytes);
    const complete = full || this.#begins(line.text) ? this.#join() : undefined;
    this.#lines.push(line);
    this.#lastAt = now;
    return complete;
  }

  take(now: number): Line | undefined {
    return now === Infinity || now - this.#lastAt >= this.#options.timeout ? this.#join() : undefined;
  }

  #join(): Line | undefined {
    const lines = this.#lines;
    const [first] = lines;
    if (first === undefined || lines.length === 1) {
      this.#lines = [];
      return first;
    }
    this.#lines = [];
    return {
      start: first.start,
      end: lines[lines.length - 1]!.end,
      text: lines.map(({ text }) => text).join('\n'),
      escaped: lines.some(({ escaped }) => escaped),
      cut: lines.reduce((sum, { cut }) => sum + cut, 0),
      cri: first.cri,
    };
  }
}
