import { announcedTrailers, Headers, isFieldValue, isToken, type LocalReply } from '../../http/index.ts';
import { admit, methodNotAllowed, refuse, type AdmissionPolicy } from '../admit.ts';
import { parseAuthority } from '../authority.ts';

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
  /** Names of trailers that the client announces and that may be passed on. */
  readonly announced: string | undefined;
  readonly expectsContinue: boolean;
  /** The answer, when the request must not go further. The other fields then are as received, for the log. */
  readonly refused: LocalReply | undefined;
  /** The request is malformed: nobody reads that answer, because the stream is reset (RFC 9113 §8.1.1). */
  readonly malformed: boolean;
}

/** RFC 3986 §3.1. */
const schemeForm = /^[a-z][a-z0-9+.-]*$/i;
/** RFC 3986 §3.2 without userinfo (RFC 9113 §8.3.1). */
const authorityCharacters = /^[\w.~!$&'()*+,;=:%[\]-]+$/;
/** RFC 9113 §8.3.1, §10.3: no spaces and no control characters, nothing beyond ASCII. */
const targetCharacters = /^[\x21-\x7e]+$/;
const allowedMethod = /^[A-Z][A-Z0-9!#$%&'*+.^_`|~-]*$/;
const strictLength = /^(?:0|[1-9][0-9]{0,15})$/;

/** What the fields of a request say, and what is malformed in them. */
class RequestFields {
  readonly lines: string[] = [];
  method: string | undefined;
  target: string | undefined;
  scheme: string | undefined;
  pseudoAuthority: string | undefined;
  host: string | undefined;
  length: number | undefined;
  expect: string | undefined;
  trailer: string | undefined;
  fault: string | undefined;
  #cookieAt = -1;

  /** @param raw name, value, name, value … as received */
  constructor(raw: readonly string[]) {
    for (let at = 0; at < raw.length; at += 2) {
      const name = raw[at]!;
      const value = raw[at + 1]!;
      if (!isSoundValue(value)) this.fault ??= 'header_value_invalid';
      if (name.charCodeAt(0) === 58) this.#pseudo(name, value);
      else if (!isSoundName(name)) this.fault ??= 'header_name_invalid';
      else this.#field(name, value);
    }
  }

  #pseudo(name: string, value: string): void {
    if (this.lines.length > 0) this.fault ??= 'pseudo_header_late';
    switch (name) {
      case ':method':
        if (this.method !== undefined) this.fault ??= 'pseudo_header_duplicate';
        this.method = value;
        break;
      case ':path':
        if (this.target !== undefined) this.fault ??= 'pseudo_header_duplicate';
        this.target = value;
        break;
      case ':scheme':
        if (this.scheme !== undefined) this.fault ??= 'pseudo_header_duplicate';
        this.scheme = value;
        break;
      case ':authority':
        if (this.pseudoAuthority !== undefined) this.fault ??= 'pseudo_header_duplicate';
        this.pseudoAuthority = value;
        break;
      default:
        this.fault ??= 'pseudo_header_unknown';
    }
  }

  #field(name: string, value: string): void {
    switch (name) {
      case 'host':
        if (this.host !== undefined) this.fault ??= 'duplicate_host';
        this.host = value;
        break;
      case 'content-length':
        if (this.length !== undefined) this.fault ??= 'duplicate_content_length';
        if (!strictLength.test(value) || !Number.isSafeInteger(Number(value))) this.fault ??= 'content_length_invalid';
        this.length = Number(value);
        break;
      case 'expect':
        this.expect = value.toLowerCase();
        break;
      case 'trailer':
        this.trailer = this.trailer === undefined ? value : `${this.trailer}, ${value}`;
        break;
      case 'te':
        if (value.toLowerCase() !== 'trailers') this.fault ??= 'te_not_trailers';
        break;
      case 'cookie':
        // RFC 9113 §8.2.3: crumbs are one field again before anybody else sees them.
        if (this.#cookieAt >= 0) {
          this.lines[this.#cookieAt] += `; ${value}`;
          return;
        }
        this.#cookieAt = this.lines.length + 1;
        break;
      default:
        if (isConnectionField(name)) this.fault ??= 'connection_field';
    }
    this.lines.push(name, value);
  }
}

/**
 * Turns a list of fields into a request (RFC 9113 §8.2, §8.3).
 * @param raw name, value, name, value … as received
 * @param complete there is no content
 * @param faulty what is malformed or refused about the stream already
 */
export function readHead(
  raw: readonly string[],
  complete: boolean,
  origin: Http2Origin,
  policy: AdmissionPolicy,
  faulty?: { readonly malformed?: string; readonly refused?: LocalReply },
): Http2Request {
  const fields = new RequestFields(raw);
  const { method = '', target = '', pseudoAuthority, host, length, expect } = fields;
  const headers = Headers.parsed(fields.lines);
  const authority = parseAuthority(pseudoAuthority ?? host ?? '');
  const refusal = (refused: LocalReply, malformed = false): Http2Request => ({
    method,
    authority: authority ?? '',
    path: target,
    // What is unsound goes into no log.
    headers: malformed || fields.fault !== undefined ? new Headers() : headers,
    clientAddress: origin.peer,
    length,
    announced: undefined,
    expectsContinue: false,
    refused,
    malformed,
  });

  if (faulty?.refused !== undefined) return refusal(faulty.refused);
  const malformed = faulty?.malformed ?? fields.fault ?? pseudoFault(fields) ?? emptyFault(complete, length);
  if (malformed !== undefined) return refusal(refuse(400, malformed), true);
  if (method === 'CONNECT') return refusal(methodNotAllowed());
  if (!allowedMethod.test(method)) return refusal(refuse(400, 'method_invalid'));
  if (authority === undefined) return refusal(refuse(400, 'host_invalid'));
  // RFC 9113 §8.3.1: host must not differ from :authority; whoever sends both differently wants one of us to be wrong.
  if (host !== undefined && parseAuthority(host) !== authority) return refusal(refuse(400, 'host_mismatch'));
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
    announced:
      complete || length !== undefined || fields.trailer === undefined ? undefined : announcedTrailers(fields.trailer),
    expectsContinue: expect !== undefined,
    refused: undefined,
    malformed: false,
  };
}

/** RFC 9113 §8.3.1, §8.5: what the pseudo-fields of a request must be. */
function pseudoFault({ method, target, scheme, pseudoAuthority, host }: RequestFields): string | undefined {
  if (method === undefined) return 'method_missing';
  if (!isToken(method)) return 'method_malformed';
  if (method === 'CONNECT') {
    return scheme !== undefined || target !== undefined || !pseudoAuthority ? 'connect_malformed' : undefined;
  }
  if (scheme === undefined || !schemeForm.test(scheme)) return 'scheme_invalid';
  if (target === undefined || !targetCharacters.test(target)) return 'path_malformed';
  if (!target.startsWith('/') && (target !== '*' || method !== 'OPTIONS')) return 'path_not_absolute';
  const authority = pseudoAuthority ?? host;
  if (authority === undefined) return 'host_missing';
  return authorityCharacters.test(authority) ? undefined : 'authority_malformed';
}

/** RFC 9113 §8.1.1: content that is announced and does not come. */
function emptyFault(complete: boolean, length: number | undefined): string | undefined {
  return complete && length !== undefined && length > 0 ? 'content_length_mismatch' : undefined;
}

/** Fields of trailers, or what is malformed in them (RFC 9113 §8.1, §8.2). */
export function trailersFault(raw: readonly string[]): string | undefined {
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]!;
    if (name.charCodeAt(0) === 58) return 'pseudo_header_in_trailers';
    if (!isSoundName(name)) return 'header_name_invalid';
    if (!isSoundValue(raw[at + 1]!)) return 'header_value_invalid';
    if (name === 'content-length' || name === 'host' || isConnectionField(name)) return 'trailer_forbidden';
  }
  return undefined;
}

/** RFC 9113 §8.2.2. */
function isConnectionField(name: string): boolean {
  switch (name.length) {
    case 7:
      return name === 'upgrade';
    case 10:
      return name === 'connection' || name === 'keep-alive';
    case 16:
      return name === 'proxy-connection';
    case 17:
      return name === 'transfer-encoding';
    default:
      return false;
  }
}

const nameCode = new Uint8Array(256);
for (const char of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") nameCode[char.charCodeAt(0)] = 1;

/** RFC 9113 §8.2, §8.2.1: a token without upper case. */
function isSoundName(name: string): boolean {
  for (let at = 0; at < name.length; at++) if (nameCode[name.charCodeAt(at)] !== 1) return false;
  return name.length > 0;
}

/** RFC 9113 §8.2.1: no control characters, and no space at either end. */
function isSoundValue(value: string): boolean {
  const last = value.length - 1;
  if (last < 0) return true;
  return isFieldValue(value) && !isSpace(value.charCodeAt(0)) && !isSpace(value.charCodeAt(last));
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
