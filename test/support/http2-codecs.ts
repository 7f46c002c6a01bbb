import type { Codec, CodecContext } from '../../src/listener/codec.ts';
import { Http2Codec } from '../../src/listener/http2/codec.ts';
import { Http2Codec as NodeHttp2Codec } from './node-http2/codec.ts';

/**
 * The codecs for HTTP/2, which must behave alike towards honest clients. The one on `node:http2` is the oracle: somebody
 * else's frames, windows and compression, against which Portico's own are held.
 */
export const http2Codecs: readonly (readonly [name: string, make: (context: CodecContext) => Codec])[] = [
  ['own codec', (context) => new Http2Codec(context)],
  ['node:http2 codec', (context) => new NodeHttp2Codec(context)],
];
