import { expect, it } from 'vitest';
import { announcedTrailers } from '../../../src/http/index.ts';

it.each([
  ['X-Sum', 'X-Sum'],
  ['Grpc-Status, grpc-message', 'Grpc-Status, grpc-message'],
  [' X-Sum\t,,x-sum , Etag', 'X-Sum, Etag'],
  ['Host, X-Sum, Set-Cookie, x-forwarded-for, Transfer-Encoding, trailer', 'X-Sum'],
  ['X_Sum, X Sum, X-Sum;q=1, X-Sum\xa0', undefined],
  ['Location, WWW-Authenticate, Range, HTTP2-Settings', undefined],
  ['', undefined],
])('of the announced trailers %j those that may pass are %j', (trailer, names) => {
  expect(announcedTrailers(trailer)).toBe(names);
});
