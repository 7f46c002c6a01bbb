import {
  ChunkedDecoder,
  HeadReader,
  isWireFault,
  parseRequestHead,
  type RequestHead,
  type WireFault,
} from '../../../src/http1/index.ts';

const limits = { maxHeadersCount: 100, maxUriBytes: 8192, rejectUnderscores: true };

/** What Portico's parser makes of the bytes of a request; undefined while the head is not whole. */
export function parseHead(pieces: readonly Buffer[]): { head: RequestHead; rest: Buffer } | WireFault | undefined {
  const reader = new HeadReader(60 * 1024);
  for (const [index, piece] of pieces.entries()) {
    const read = reader.read(piece);
    if (read === undefined) continue;
    if (isWireFault(read)) return read;
    const head = parseRequestHead(read.text, limits);
    if (isWireFault(head)) return head;
    return { head, rest: Buffer.concat([read.rest, ...pieces.slice(index + 1)]) };
  }
  return undefined;
}

/** What Portico's decoder makes of the bytes of a chunked body. */
export interface Decoded {
  readonly body: string;
  readonly end: { readonly trailers: readonly string[]; readonly rest: string } | undefined;
  readonly fault: WireFault | undefined;
}

export function decodeChunks(pieces: readonly Buffer[]): Decoded {
  const decoder = new ChunkedDecoder();
  let body = '';
  let end: { trailers: readonly string[]; rest: string } | undefined;
  for (const [index, piece] of pieces.entries()) {
    const fault = decoder.write(piece, {
      data: (chunk) => void (body += chunk.toString('latin1')),
      end: (trailers, rest) => {
        const behind = Buffer.concat([rest, ...pieces.slice(index + 1)]);
        end = { trailers: trailers?.flat ?? [], rest: behind.toString('latin1') };
      },
    });
    if (fault !== undefined || end !== undefined) return { body, end, fault };
  }
  return { body, end: undefined, fault: undefined };
}
