import { CriFraming } from './cri-framing.ts';
import type { Line } from './line.ts';
import { Multiline, type MultilineOptions } from './multiline.ts';

/** Makes records of lines: lines that belong together come out as one, which waits for its last. */
export interface Framing {
  /**
   * Takes a line, and gives what is complete now: an earlier one, or this one, or nothing yet. Never more than one.
   * @param now milliseconds that never jump
   */
  push(line: Line, now: number): Line | undefined;
  /** Gives what has waited for its end for too long, one at a time; with Infinity everything. */
  take(now: number): Line | undefined;
  /** Offset of the first byte of all that waits; Infinity when nothing does. */
  readonly pendingStart: number;
}

export interface FramingOptions {
  readonly format: 'lines' | 'cri';
  readonly multiline: MultilineOptions | undefined;
  readonly maxLineBytes: number;
  /** Milliseconds for which a line waits that the container runtime has cut, and whose rest does not come. */
  readonly partialTimeout: number;
}

/** undefined: each line is a record. */
export function createFraming(options: FramingOptions): Framing | undefined {
  if (options.format === 'cri') return new CriFraming(options);
  return options.multiline === undefined ? undefined : new Multiline(options.multiline);
}
