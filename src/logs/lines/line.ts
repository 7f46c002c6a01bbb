import type { CriPrefix } from '../record.ts';

/** A line, or lines that belong together, with its place in the file. Always of this shape, for the sake of speed. */
export interface Line {
  /** Offset in bytes of its first byte, and of the byte after its line end. */
  readonly start: number;
  readonly end: number;
  /** Without its line end. Bytes that are not UTF-8 stand as `\xNN`, and `escaped` says so. */
  readonly text: string;
  readonly escaped: boolean;
  /** Bytes that were left out of the text because it was longer than allowed. */
  readonly cut: number;
  readonly cri: CriPrefix | undefined;
}
