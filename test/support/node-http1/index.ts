export { Http1Codec as NodeHttp1Codec } from './codec.ts';
