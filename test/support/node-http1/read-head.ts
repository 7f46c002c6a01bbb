import { Headers, type LocalReply } from '../../../src/http/index.ts';
import { admit, refuse, type AdmissionPolicy } from '../../../src/listener/admit.ts';
import { parseAuthority } from '../../../src/listener/authority.ts';

/** A request head as the parser gives it. */
export interface Http1Head {
  readonly method: string;
  readonly url: string;
  readonly major: number;
  readonly minor: number;
  /** Name, value, name, value … as received. Belongs to the result. */
  readonly rawHeaders: string[];
}

/** What the connection adds. */
export interface Http1Origin {
  readonly scheme: 'http' | 'https';
  readonly peer: string;
  /** Stands in for the host that an HTTP/1.0 client may leave out. */
  readonly localAuthority: string;
}

/** How the body is framed: not at all, by a length in bytes, or in chunks. */
export type BodyFraming = { readonly kind: 'none' | 'chunked' } | { readonly kind: 'length'; readonly length: number };

export interface Http1Request {
  readonly authority: string;
  readonly path: string;
  readonly headers: Headers;
  readonly clientAddress: string;
  readonly framing: BodyFraming;
  readonly expectsContinue: boolean;
  /** The answer, when the request must not go further. The other fields then are as received, for the log. */
  readonly refused: LocalReply | undefined;
}

/**
 * Checks what the parser lets through and an intermediary must not (RFC 9112 §3.2, §6.1, §6.3): the parser takes
 * the first of two hosts, `gzip, chunked`, chunks on HTTP/1.0, HTTP/0.9 and any text for a host.
 */
export function readHead(head: Http1Head, origin: Http1Origin, policy: AdmissionPolicy): Http1Request {
  const headers = Headers.parsed(head.rawHeaders);
  const framing = readFraming(head);
  const expectation = readExpectation(head);
  const target = readTarget(head, origin);
  const kind = typeof framing === 'string' ? noFraming : framing;
  const refusal = (refused: LocalReply): Http1Request => ({
    authority: typeof target === 'string' ? '' : target.authority,
    path: head.url,
    headers,
    clientAddress: origin.peer,
    framing: kind,
    expectsContinue: false,
    refused,
  });

  if (head.major !== 1) return refusal(refuse(head.major === 0 ? 400 : 505, 'http_version_not_supported'));
  if (typeof framing === 'string') return refusal(refuse(400, framing));
  if (typeof target === 'string') return refusal(refuse(400, target));
  if (expectation === undefined) return refusal(refuse(417, 'expectation_not_supported'));
  const admitted = admit(
    {
      method: head.method,
      target: target.path,
      authority: target.authority,
      scheme: origin.scheme,
      version: head.minor === 0 ? '1.0' : '1.1',
      peer: origin.peer,
      headers,
      endToEnd: false,
    },
    policy,
  );
  if ('status' in admitted) return refusal(admitted);
  if (policy.maxBody > 0 && framing.kind === 'length' && framing.length > policy.maxBody) {
    return refusal(refuse(413, 'body_too_large', 'LL'));
  }
  return {
    authority: target.authority,
    path: admitted.path,
    headers,
    clientAddress: admitted.clientAddress,
    framing,
    expectsContinue: expectation === 'continue' && kind.kind !== 'none',
    refused: undefined,
  };
}

const noFraming: BodyFraming = { kind: 'none' };
const chunked: BodyFraming = { kind: 'chunked' };

/** Answers the framing, or what is wrong with it. */
function readFraming({ major, minor, rawHeaders }: Http1Head): BodyFraming | string {
  let coding: string | undefined;
  let length: string | undefined;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!;
    if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') {
      if (coding !== undefined) return 'transfer_encoding_repeated';
      coding = rawHeaders[at + 1]!;
    } else if (name.length === 14 && name.toLowerCase() === 'content-length') {
      if (length !== undefined) return 'content_length_repeated';
      length = rawHeaders[at + 1]!;
    }
  }
  if (coding !== undefined) {
    if (length !== undefined) return 'content_length_with_transfer_encoding';
    if (major !== 1 || minor !== 1) return 'transfer_encoding_in_http10';
    return /^[ \t]*chunked[ \t]*$/i.test(coding) ? chunked : 'transfer_encoding_not_supported';
  }
  if (length === undefined) return noFraming;
  const number = Number(length);
  if (!/^\d+$/.test(length) || !Number.isSafeInteger(number)) return 'content_length_invalid';
  return number === 0 ? noFraming : { kind: 'length', length: number };
}

/** RFC 9110 §10.1.1: one expectation is defined; HTTP/1.0 has none. Undefined: one that cannot be met. */
function readExpectation({ minor, rawHeaders }: Http1Head): 'none' | 'continue' | undefined {
  if (minor === 0) return 'none';
  let expects: 'none' | 'continue' = 'none';
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!;
    if (name.length !== 6 || name.toLowerCase() !== 'expect') continue;
    if (!/^[ \t]*100-continue[ \t]*$/i.test(rawHeaders[at + 1]!)) return undefined;
    expects = 'continue';
  }
  return expects;
}

/** Absolute form names the scheme and host a second time; the field then does not count (RFC 9112 §3.2.2). */
const absoluteForm = /^(https?):\/\/([^/?#]*)(.*)$/i;

/** Authority and origin-form path, or what is wrong. */
function readTarget(
  { url, major, minor, rawHeaders }: Http1Head,
  origin: Http1Origin,
): { authority: string; path: string } | string {
  let host: string | undefined;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!;
    if (name.length !== 4 || name.toLowerCase() !== 'host') continue;
    if (host !== undefined) return 'host_repeated';
    host = rawHeaders[at + 1]!;
  }
  let authority = host === undefined ? undefined : parseAuthority(host);
  if (host !== undefined && authority === undefined) return 'host_invalid';
  if (host === undefined && major === 1 && minor > 0) return 'host_missing';

  let path = url;
  if (!url.startsWith('/') && url !== '*') {
    const absolute = absoluteForm.exec(url);
    if (absolute === null) return 'request_target_invalid';
    authority = parseAuthority(absolute[2]!);
    if (authority === undefined) return 'request_target_invalid';
    path = absolute[3]!.startsWith('/') ? absolute[3]! : `/${absolute[3]!}`;
  }
  return { authority: authority ?? origin.localAuthority, path };
}
