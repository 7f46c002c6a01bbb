import type { Headers } from '../http/index.ts';

/** RFC 9110 §6.5.1: fields that would say something about framing, routing or access must not arrive late. */
const notInTrailers = new Set([
  'authorization',
  'cache-control',
  'connection',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'host',
  'keep-alive',
  'location',
  'proxy-authenticate',
  'proxy-authorization',
  'set-cookie',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'www-authenticate',
]);

/** The trailers of a response that may be passed on; undefined when there are none. Takes the others out. */
export function passableTrailers(trailers: Headers): Headers | undefined {
  trailers.filter((name) => !notInTrailers.has(name));
  return trailers.size === 0 ? undefined : trailers;
}
