/** HTTP/2 on the wire (RFC 9113, RFC 7541): strict reading, frames, compressed fields, windows. Used by `listener`. */
export * from './error-code.ts';
export * from './frame.ts';
export * from './frame-reader.ts';
export * from './frame-writer.ts';
export * from './header-decoder.ts';
export * from './header-encoder.ts';
export * from './settings.ts';
export * from './windows.ts';
