import { promisify } from 'node:util';
import type { Gzip } from 'node:zlib';

// node:zlib is loaded by the first who wants it, and takes 3 MB.
const zlib = () => process.getBuiltinModule('node:zlib');
/** Fast rather than small: it is read on the same machine, or near. */
const options = { level: 1 };

export function gzip(body: Uint8Array): Promise<Uint8Array> {
  return promisify(zlib().gzip)(body, options);
}

export function gzipping(): Gzip {
  return zlib().createGzip(options);
}
