import { isWireFault, wireFault, type WireFault } from './fault.ts';
import { readFields, type FieldFacts } from './fields.ts';

export interface ResponseHead {
  readonly status: number;
  readonly minor: 0 | 1;
  readonly fields: FieldFacts;
}

const statusLine = /^HTTP\/1\.([01]) ([1-5][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?$/;

/** Parses a response head; `text` is Latin-1 and ends with the CRLF of the last field line (RFC 9112 §4). */
export function parseResponseHead(text: string, maxHeadersCount: number): ResponseHead | WireFault {
  const lineEnd = text.indexOf('\r\n');
  const usual = usualStatus(text, lineEnd);
  const match = usual === undefined ? statusLine.exec(text.slice(0, lineEnd)) : undefined;
  if (match === null) return wireFault(502, 'status_line_invalid');
  const fields = readFields(text, lineEnd + 2, { maxHeadersCount, rejectUnderscores: false });
  if (isWireFault(fields)) return fields;
  const minor = match?.[1] === '0' ? 0 : 1;
  if (fields.chunked && minor === 0) return wireFault(502, 'transfer_encoding_in_http_1_0');
  if (fields.chunked && fields.contentLength !== undefined)
    return wireFault(502, 'content_length_with_transfer_encoding');
  return { status: usual ?? Number(match![2]), minor, fields };
}

/** The status of `HTTP/1.1 200 OK` and the like; undefined for a line that is looked at more closely. */
function usualStatus(text: string, lineEnd: number): number | undefined {
  if (lineEnd !== 15 || !text.startsWith('HTTP/1.1 200 OK')) return undefined;
  return 200;
}

/** How the content of a response ends (RFC 9112 §6.3). */
export type ResponseFraming =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly length: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'close' };

export function responseFraming(head: ResponseHead, requestMethod: string): ResponseFraming {
  const { status, fields } = head;
  if (requestMethod === 'HEAD' || status < 200 || status === 204 || status === 304) return { kind: 'none' };
  if (fields.chunked) return { kind: 'chunked' };
  if (fields.contentLength !== undefined) return { kind: 'length', length: fields.contentLength };
  return { kind: 'close' };
}
