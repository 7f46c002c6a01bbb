import {
  Headers,
  isFieldValue,
  localReply,
  mayTrail,
  removeHopByHop,
  type LocalReply,
  type ResponseFlag,
} from '../http/index.ts';
import { clientCertField, type ClientCertDetails } from './client-certificate.ts';
import type { ListenerConfig } from './config.ts';
import { forward, isForwardedField, type ForwardedPolicy } from './forwarded.ts';
import { normalizePath, type EscapedSlashes } from './normalize-path.ts';

/** The rules of a listener for request heads, whatever protocol brings them. */
export interface AdmissionPolicy extends ForwardedPolicy {
  readonly maxHeaders: number;
  readonly maxTarget: number;
  readonly maxBody: number;
  readonly underscores: 'reject' | 'drop' | 'allow';
  readonly escapedSlashes: EscapedSlashes;
  readonly clientCertDetails: ClientCertDetails;
  /** Pseudonym in Via; empty for none. */
  readonly via: string;
}

export function admissionPolicy(config: ListenerConfig): AdmissionPolicy {
  return {
    useRemoteAddress: config.use_remote_address,
    trustedHops: config.xff_num_trusted_hops,
    skipAppend: config.skip_xff_append,
    maxHeaders: config.max_headers_count,
    maxTarget: config.max_uri_bytes,
    maxBody: config.max_body_bytes,
    underscores: config.headers_with_underscores_action,
    escapedSlashes: config.path_with_escaped_slashes_action,
    clientCertDetails: config.forward_client_cert_details,
    via: config.via,
  };
}

/** A request head whose framing and authority the codec has found sound. */
export interface SoundHead {
  readonly method: string;
  /** Origin form, or `*`. */
  readonly target: string;
  readonly authority: string;
  readonly scheme: 'http' | 'https';
  /** Version as Via names it: `1.1`, `2`. */
  readonly version: string;
  readonly peer: string;
  /** Of a verified client certificate, the element of x-forwarded-client-cert. */
  readonly clientCertificate?: string | undefined;
  /** The fields; changed here into what the app may see. */
  readonly headers: Headers;
  /** The codec has left out all fields that speak of the connection, of the framing, of host and expectations. */
  readonly endToEnd: boolean;
}

export interface Admitted {
  readonly path: string;
  readonly clientAddress: string;
}

/** The same name this often in Via: the request goes in circles, or soon will. */
const mostPasses = 8;
/** TRACE echoes secrets, CONNECT opens tunnels: neither is for a gateway (RFC 9110 §9.3.6, §9.3.8). */
const allowedMethods = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';

/** Decides whether a request may come in, and brings its path and fields into the form that filters, routes and the app see. */
export function admit(head: SoundHead, policy: AdmissionPolicy): Admitted | LocalReply {
  const { method, headers } = head;
  if (method === 'TRACE' || method === 'CONNECT') return methodNotAllowed();
  // Reserved for the HTTP/2 preface (RFC 7540 §11.6): an app's parser may take what follows for frames.
  if (method === 'PRI') return refuse(400, 'method_invalid');
  if (head.target.length > policy.maxTarget) return refuse(414, 'uri_too_long', 'LL');
  if (headers.size > policy.maxHeaders) return refuse(431, 'too_many_headers', 'LL');
  if (policy.underscores !== 'allow' && hasUnderscore(headers)) {
    if (policy.underscores === 'reject') return refuse(400, 'header_with_underscore');
    headers.filter((name) => !name.includes('_'));
  }

  // `OPTIONS *` asks about the server as such, and that is this one (RFC 9110 §9.3.7).
  if (head.target === '*' && method === 'OPTIONS')
    return localReply(204, 'options_of_the_server', { headers: { allow: allowedMethods } });
  const normalized = normalizePath(head.target, policy.escapedSlashes);
  if ('refused' in normalized) return refuse(400, normalized.refused);

  if (!head.endToEnd) {
    removeHopByHop(headers, isForwardedField);
    headers.delete('host');
    headers.delete('content-length');
    headers.delete('expect');
  }

  if (method === 'OPTIONS' && headers.has('max-forwards')) {
    const left = Number(headers.get('max-forwards'));
    if (left === 0) return localReply(200, 'max_forwards_reached', { headers: { allow: allowedMethods }, body: '' });
    if (Number.isInteger(left) && left > 0) headers.set('max-forwards', String(left - 1));
  }
  if (policy.via !== '') {
    if (passes(headers.get('via'), policy.via) >= mostPasses) return refuse(508, 'request_loop');
    headers.append('via', `${head.version} ${policy.via}`);
  }
  const clientAddress = forward(headers, head, policy);
  // Apps take it for proof: whatever came is not, whoever sent it.
  if (policy.clientCertDetails === 'sanitize_set' && head.clientCertificate !== undefined)
    headers.set(clientCertField, head.clientCertificate);
  else headers.delete(clientCertField);
  return { path: normalized.path, clientAddress };
}

export function methodNotAllowed(): LocalReply {
  return localReply(405, 'method_not_allowed', { flag: 'DPE', headers: { allow: allowedMethods } });
}

/** The answer to a request that is malformed or ambiguous, too large, or too slow. */
export function refuse(status: number, details: string, flag: ResponseFlag = flagOf(status)): LocalReply {
  return localReply(status, details, { flag });
}

function flagOf(status: number): ResponseFlag {
  if (status === 408) return 'DT';
  return status === 413 || status === 414 || status === 431 ? 'LL' : 'DPE';
}

/** Trailing fields that may be passed on. */
export function trailersFrom(flat: readonly string[], limit: number): Headers | undefined {
  if (flat.length === 0 || flat.length / 2 > limit) return undefined;
  const trailers = new Headers();
  for (let at = 0; at < flat.length; at += 2) {
    const name = flat[at]!;
    const value = flat[at + 1]!;
    if (!mayTrail(name.toLowerCase()) || name.startsWith(':') || name.includes('_') || !isFieldValue(value)) continue;
    trailers.append(name, value);
  }
  return trailers.size === 0 ? undefined : trailers;
}

function hasUnderscore(headers: Headers): boolean {
  const { flat } = headers;
  for (let at = 0; at < flat.length; at += 2) if (flat[at]!.includes('_')) return true;
  return false;
}

function passes(via: string | undefined, name: string): number {
  if (via === undefined) return 0;
  let count = 0;
  for (const entry of via.split(',')) if (entry.trim().split(/\s+/)[1] === name) count++;
  return count;
}
