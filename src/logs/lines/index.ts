/** From the bytes of a file to lines, and to lines that belong together. Knows nothing of files. */
export { createFraming, type Framing, type FramingOptions } from './framing.ts';
export type { Line } from './line.ts';
export { LineSplitter } from './line-splitter.ts';
export type { MultilineOptions } from './multiline.ts';
