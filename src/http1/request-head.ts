import { isWireFault, wireFault, type WireFault } from './fault.ts';
import { readFields, type FieldFacts, type FieldLimits } from './fields.ts';

export interface RequestHead {
  readonly method: string;
  /** As sent: origin-form, absolute-form, authority-form or `*`. Visible ASCII without `#`. */
  readonly target: string;
  readonly minor: 0 | 1;
  readonly fields: FieldFacts;
}

export interface RequestHeadLimits extends FieldLimits {
  /** Bytes of the request target. RFC 9112 §3: at least 8000 octets of request line should be supported. */
  readonly maxUriBytes: number;
}

const methodText = /^[A-Z][A-Z0-9_-]*$/;
/** RFC 9112 §3.2: visible ASCII. A fragment never travels (RFC 9110 §7.1), so `#` is refused. */
const targetText = /^[\x21\x22\x24-\x7e]+$/;

/** Parses a request head; `text` is Latin-1 and ends with the CRLF of the last field line (RFC 9112 §3). */
export function parseRequestHead(text: string, limits: RequestHeadLimits): RequestHead | WireFault {
  const lineEnd = text.indexOf('\r\n');
  const methodEnd = text.indexOf(' ');
  if (methodEnd <= 0 || methodEnd > lineEnd) return wireFault(400, 'request_line_invalid');
  const targetEnd = text.indexOf(' ', methodEnd + 1);
  if (targetEnd < 0 || targetEnd > lineEnd) return wireFault(400, 'request_line_invalid');
  const method = text.slice(0, methodEnd);
  const target = text.slice(methodEnd + 1, targetEnd);
  // Methods are case-sensitive and all registered ones are upper case (RFC 9110 §9.1): `get` is a mistake or a trick.
  if (!methodText.test(method)) return wireFault(400, 'method_invalid');
  if (target.length > limits.maxUriBytes) return wireFault(414, 'uri_too_long');
  if (!targetText.test(target)) return wireFault(400, target.includes('#') ? 'target_with_fragment' : 'target_invalid');
  const version = text.slice(targetEnd + 1, lineEnd);
  if (version !== 'HTTP/1.1' && version !== 'HTTP/1.0') {
    return /^HTTP\/\d\.\d$/.test(version)
      ? wireFault(505, 'http_version_not_supported')
      : wireFault(400, 'request_line_invalid');
  }
  const minor = version === 'HTTP/1.1' ? 1 : 0;
  const fields = readFields(text, lineEnd + 2, limits);
  if (isWireFault(fields)) return fields;
  return framingFault(fields, minor) ?? { method, target, minor, fields };
}

/** RFC 9112 §6.1, §6.3: one way to frame, or none. */
function framingFault(fields: FieldFacts, minor: 0 | 1): WireFault | undefined {
  if (!fields.chunked) return undefined;
  if (minor === 0) return wireFault(400, 'transfer_encoding_in_http_1_0');
  if (fields.contentLength !== undefined) return wireFault(400, 'content_length_with_transfer_encoding');
  return undefined;
}
