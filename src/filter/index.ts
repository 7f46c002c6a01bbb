/** What a filter author imports: `import { defineFilter, localReply, v } from 'portico'`. */
export * as v from 'valibot';
export { defineFilter } from './define-filter.ts';
export type {
  Clock,
  FetchOptions,
  FetchResult,
  FilterContext,
  FilterDefinition,
  FilterHooks,
  FilterLog,
  FilterPeers,
  FilterTimers,
  StatSpec,
} from './define-filter.ts';
export {
  BytesBody,
  Headers,
  isFieldValue,
  isIdempotent,
  isLocalReply,
  isToken,
  localReply,
  noBody,
  note,
  pathOf,
  readAll,
  responseFlags,
  textBody,
} from '../http/index.ts';
export type { Body, Exchange, LocalReply, Note, Request, Response, ResponseFlag } from '../http/index.ts';
export {
  address,
  byteSize,
  cidr,
  compileSafeRegex,
  didYouMean,
  doc,
  duration,
  headerName,
  integer,
  name,
  safeRegex,
} from '../options/index.ts';
export type { Address, Cidr } from '../options/index.ts';
export { compileFormat, compileJsonFormat, escapeText } from '../format/index.ts';
export type { FormatOptions, JsonFormat } from '../format/index.ts';
