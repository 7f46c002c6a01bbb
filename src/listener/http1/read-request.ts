import { Headers, type Downstream, type LocalReply } from '../../http/index.ts';
import type { RequestHead } from '../../http1/index.ts';
import { admit, methodNotAllowed, refuse, type AdmissionPolicy } from '../admit.ts';
import { parseAuthority } from '../authority.ts';

/** A request head as filters, routes and the app may see it. */
export interface ReadRequest {
  readonly authority: string;
  readonly path: string;
  readonly headers: Headers;
  readonly clientAddress: string;
  /** The answer, when the request must not go further. The other fields then are as received, for the log. */
  readonly refused: LocalReply | undefined;
}

/** Absolute form names scheme and host a second time; the Host field then does not count (RFC 9112 §3.2.2). */
const absoluteForm = /^(https?):\/\/([^/?#]*)(.*)$/i;

/** Decides where a request goes by its target and Host (RFC 9112 §3.2, §3.3), and whether it may come in. */
export function readTarget(head: RequestHead, downstream: Downstream, policy: AdmissionPolicy): ReadRequest {
  const headers = Headers.parsed(head.fields.flat);
  const target = targetOf(head, downstream);
  const refusal = (refused: LocalReply): ReadRequest => ({
    authority: typeof target === 'string' ? '' : target.authority,
    path: head.target,
    headers,
    clientAddress: downstream.remoteAddress,
    refused,
  });
  // Its target is no path, which must not hide that the method is not for a gateway.
  if (head.method === 'CONNECT') return refusal(methodNotAllowed());
  if (typeof target === 'string') return refusal(refuse(400, target));
  const { expect, contentLength } = head.fields;
  if (expect !== undefined && head.minor === 1 && expect !== '100-continue')
    return refusal(refuse(417, 'expectation_not_supported'));
  const admitted = admit(
    {
      method: head.method,
      target: target.path,
      authority: target.authority,
      scheme: downstream.tls === undefined ? 'http' : 'https',
      version: head.minor === 0 ? '1.0' : '1.1',
      peer: downstream.remoteAddress,
      clientCertificate: downstream.tls?.clientCertificate,
      headers,
      endToEnd: true,
    },
    policy,
  );
  if ('status' in admitted) return refusal(admitted);
  if (policy.maxBody > 0 && contentLength !== undefined && contentLength > policy.maxBody)
    return refusal(refuse(413, 'body_too_large', 'LL'));
  return {
    authority: target.authority,
    path: admitted.path,
    headers,
    clientAddress: admitted.clientAddress,
    refused: undefined,
  };
}

/** Authority and origin-form path, or what is wrong. */
function targetOf(head: RequestHead, downstream: Downstream): { authority: string; path: string } | string {
  const { host } = head.fields;
  const named = host === undefined ? undefined : parseAuthority(host);
  if (host === undefined && head.minor === 1) return 'host_missing';
  if (host !== undefined && named === undefined) return 'host_invalid';
  // HTTP/1.0 knows no Host: the address that was connected to stands in for it.
  const authority = named ?? localAuthority(downstream);
  if (head.target.charCodeAt(0) === 47 || head.target === '*') return { authority, path: head.target };
  const absolute = absoluteForm.exec(head.target);
  const other = absolute === null ? undefined : parseAuthority(absolute[2]!);
  if (absolute === null || other === undefined) return 'request_target_invalid';
  return { authority: other, path: absolute[3]!.startsWith('/') ? absolute[3]! : `/${absolute[3]!}` };
}

function localAuthority({ localAddress, localPort }: Downstream): string {
  if (localPort === 0) return 'localhost';
  return localAddress.includes(':') ? `[${localAddress}]:${localPort}` : `${localAddress}:${localPort}`;
}
