import { Headers, removeHopByHop } from '../../../src/http/index.ts';

/** What the head of a response says, ready for the way back. */
export interface ResponseHead {
  readonly headers: Headers;
  /** Bytes of content, when known. 0 where the response cannot have any. */
  readonly length: number | undefined;
}

/**
 * Reads the field lines of a final response to `method`. Framing is taken out, except a declared length of an answer that
 * has no content by its nature (RFC 9110 §8.6).
 * @param fields name, value, name, value … as received
 * @returns text when the response must not be used: what is wrong with it, in snake case
 */
export function readResponseHead(method: string, status: number, fields: string[]): ResponseHead | string {
  // 600 to 999 parse, but RFC 9110 §15 knows no such class, and neither does what writes the answer.
  if (status < 200 || status > 599) return 'invalid_status';
  const headers = Headers.parsed(fields);
  const codings = headers.getAll('transfer-encoding');
  // RFC 9112 §6.1: a coding that we cannot undo must not be forwarded as if it were not there.
  if (codings.length > 1 || (codings.length === 1 && codings[0]!.toLowerCase() !== 'chunked'))
    return 'transfer_encoding';
  const declared = headers.get('content-length');
  removeHopByHop(headers);
  if (method === 'HEAD' || status === 304) return { headers, length: 0 };
  if (declared !== undefined) headers.delete('content-length');
  if (status === 204) return { headers, length: 0 };
  if (codings.length === 1 || declared === undefined) return { headers, length: undefined };
  return { headers, length: Number(declared) };
}
