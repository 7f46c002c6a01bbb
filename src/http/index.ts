/** The words everybody shares. This room knows nobody. */
export * from './body.ts';
export * from './body-transform.ts';
export * from './cancellation.ts';
export * from './exchange.ts';
export * from './headers.ts';
export * from './hop-by-hop.ts';
export { readGarbage } from './read-garbage.ts';
export * from './request.ts';
export * from './response.ts';
export * from './response-flag.ts';
export * from './time-limit.ts';
export * from './trailers.ts';
export * from './upstream-error.ts';
