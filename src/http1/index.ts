/** HTTP/1.1 on the wire (RFC 9112): strict reading, our own framing. Knows `http` only; used by `listener` and `cluster`. */
export * from './append-bytes.ts';
export * from './chunked-decoder.ts';
export * from './fault.ts';
export * from './fields.ts';
export * from './head-reader.ts';
export * from './request-head.ts';
export * from './response-head.ts';
export { asLatin1, oneWrite } from './one-write.ts';
