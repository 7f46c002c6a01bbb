import { Headers, type LocalReply } from '../../../src/http/index.ts';
import { admit, refuse, type AdmissionPolicy } from '../../../src/listener/admit.ts';
import { parseAuthority } from '../../../src/listener/authority.ts';

export interface Http2Origin {
  readonly scheme: 'http' | 'https';
  readonly peer: string;
  readonly clientCertificate?: string | undefined;
}

export interface Http2Request {
  readonly method: string;
  readonly authority: string;
  readonly path: string;
  readonly headers: Headers;
  readonly clientAddress: string;
  /** What content-length says. */
  readonly length: number | undefined;
  readonly expectsContinue: boolean;
  /** The answer, when the request must not go further. The other fields then are as received, for the log. */
  readonly refused: LocalReply | undefined;
}

/**
 * Turns a header block into a request. nghttp2 has refused connection fields, pseudo-fields that repeat or come late, and
 * more than one content-length already (RFC 9113 §8.2, §8.3).
 * @param raw name, value, name, value … as received
 */
export function readHead(raw: readonly string[], origin: Http2Origin, policy: AdmissionPolicy): Http2Request {
  const lines: string[] = [];
  let method = '';
  let target = '';
  let pseudoAuthority: string | undefined;
  let host: string | undefined;
  let hosts = 0;
  let contentLength: string | undefined;
  let expect: string | undefined;
  let cookieAt = -1;
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]!;
    const value = trimmed(raw[at + 1]!);
    switch (name) {
      case ':method':
        method = value;
        continue;
      case ':path':
        target = value;
        continue;
      case ':authority':
        pseudoAuthority = value;
        continue;
      case ':scheme':
        continue;
      case 'host':
        host = value;
        hosts++;
        break;
      case 'content-length':
        contentLength = value;
        break;
      case 'expect':
        expect = value.toLowerCase();
        break;
      case 'cookie':
        // RFC 9113 §8.2.3: crumbs are one field again before anybody else sees them.
        if (cookieAt >= 0) {
          lines[cookieAt] += `; ${value}`;
          continue;
        }
        cookieAt = lines.length + 1;
        break;
    }
    lines.push(name, value);
  }
  const headers = Headers.parsed(lines);
  const authority = parseAuthority(pseudoAuthority ?? host ?? '');
  const length = contentLength === undefined ? undefined : Number(contentLength);
  const refusal = (refused: LocalReply): Http2Request => ({
    method,
    authority: authority ?? '',
    path: target,
    headers,
    clientAddress: origin.peer,
    length,
    expectsContinue: false,
    refused,
  });

  if (!/^[A-Z][A-Z0-9!#$%&'*+.^_`|~-]*$/.test(method)) return refusal(refuse(400, 'method_invalid'));
  if (authority === undefined)
    return refusal(refuse(400, pseudoAuthority === undefined && host === undefined ? 'host_missing' : 'host_invalid'));
  // RFC 9113 §8.3.1: host must not differ from :authority; whoever sends both differently wants one of us to be wrong.
  if (hosts > 1 || (host !== undefined && parseAuthority(host) !== authority))
    return refusal(refuse(400, 'host_mismatch'));
  if (length !== undefined && !Number.isSafeInteger(length)) return refusal(refuse(400, 'content_length_invalid'));
  if (expect !== undefined && expect !== '100-continue') return refusal(refuse(417, 'expectation_not_supported'));
  const admitted = admit({ ...origin, method, target, authority, version: '2', headers, endToEnd: false }, policy);
  if ('status' in admitted) return refusal(admitted);
  if (policy.maxBody > 0 && length !== undefined && length > policy.maxBody)
    return refusal(refuse(413, 'body_too_large', 'LL'));
  return {
    method,
    authority,
    path: admitted.path,
    headers,
    clientAddress: admitted.clientAddress,
    length,
    expectsContinue: expect !== undefined,
    refused: undefined,
  };
}

/** RFC 9113 §8.2.1 forbids whitespace around values and nghttp2 lets it pass; in HTTP/1 it would not be part of the value. */
function trimmed(value: string): string {
  const last = value.length - 1;
  return last >= 0 && (isSpace(value.charCodeAt(0)) || isSpace(value.charCodeAt(last)))
    ? value.replace(/^[ \t]+|[ \t]+$/g, '')
    : value;
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
