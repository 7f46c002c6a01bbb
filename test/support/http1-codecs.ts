import type { Codec, CodecContext } from '../../src/listener/codec.ts';
import { Http1Codec } from '../../src/listener/http1/codec.ts';
import { Http1Codec as NodeHttp1Codec } from './node-http1/codec.ts';

/**
 * The codecs for HTTP/1, which must behave alike: the tests of the listener run with each. The one on `node:http` is the
 * oracle: somebody else's parser and serialiser, against which Portico's own is held.
 */
export const http1Codecs: readonly (readonly [name: string, make: (context: CodecContext) => Codec])[] = [
  ['own codec', (context) => new Http1Codec(context)],
  ['node:http codec', (context) => new NodeHttp1Codec(context)],
];
