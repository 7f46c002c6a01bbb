import type { Codec, CodecContext } from '../../src/listener/codec.ts';
import { Http1Codec as NodeHttp1Codec } from '../../src/listener/http1/codec.ts';
import { Http1Codec as WireHttp1Codec } from '../../src/listener/http1-wire/codec.ts';

/** The codecs for HTTP/1, which must behave alike: the tests of the listener run with each. */
export const http1Codecs: readonly (readonly [name: string, make: (context: CodecContext) => Codec])[] = [
  ['own codec', (context) => new WireHttp1Codec(context)],
  ['node:http codec', (context) => new NodeHttp1Codec(context)],
];
