import { isIP } from 'node:net';
import type { Headers } from '../http/index.ts';

/** Whom to believe about the client, and what to tell the app about it. Envoy's terms and semantics. */
export interface ForwardedPolicy {
  readonly useRemoteAddress: boolean;
  readonly trustedHops: number;
  readonly skipAppend: boolean;
}

/** What the connection says about the request, as opposed to its fields. */
export interface Hop {
  /** Without port; `unix` for a unix socket. */
  readonly peer: string;
  readonly scheme: 'http' | 'https';
  readonly authority: string;
}

/** Fields that Portico answers for: naming them in `Connection` must not make the app lose them. */
export function isForwardedField(lowerName: string): boolean {
  return (
    lowerName.startsWith('x-forwarded-') ||
    lowerName === 'forwarded' ||
    lowerName === 'x-real-ip' ||
    lowerName === 'via'
  );
}

/**
 * Who asks. With `use_remote_address` the peer of the socket, or the Nth entry from the right of x-forwarded-for when
 * N proxies in front are trusted; without it the (N+1)th. Too few or unreadable entries: the peer.
 */
export function clientAddress(forwardedFor: string | undefined, peer: string, policy: ForwardedPolicy): string {
  const fromRight = policy.useRemoteAddress ? policy.trustedHops : policy.trustedHops + 1;
  if (fromRight === 0 || forwardedFor === undefined) return peer;
  const entries = forwardedFor.split(',');
  const entry = entries[entries.length - fromRight];
  return entry === undefined ? peer : (bareAddress(entry.trim()) ?? peer);
}

/** Writes the x-forwarded-* fields that the app sees; answers the client's address. */
export function forward(headers: Headers, hop: Hop, policy: ForwardedPolicy): string {
  const received = headers.get('x-forwarded-for');
  const client = clientAddress(received, hop.peer, policy);
  const trusted = !policy.useRemoteAddress || policy.trustedHops > 0;

  if (policy.useRemoteAddress && !policy.skipAppend && hop.peer !== 'unix') {
    headers.put('x-forwarded-for', received === undefined || received === '' ? hop.peer : `${received}, ${hop.peer}`);
  }
  const proto = trusted ? headers.get('x-forwarded-proto') : undefined;
  if (proto !== 'http' && proto !== 'https') headers.put('x-forwarded-proto', hop.scheme);
  if (!trusted || !headers.has('x-forwarded-host')) {
    if (hop.authority === '') headers.delete('x-forwarded-host');
    else headers.put('x-forwarded-host', hop.authority);
  }
  if (!trusted) {
    // Nobody vouches for these, and apps take them for the truth.
    removeUnvouched(headers);
    if (headers.has('x-real-ip')) {
      if (isIP(client) === 0) headers.delete('x-real-ip');
      else headers.set('x-real-ip', client);
    }
  }
  return client;
}

/**
 * Removes `forwarded` and all of `x-forwarded-*` that is not written here: apps also believe -port, -prefix, -ssl,
 * -server and more. Where underscores are allowed, `X_Forwarded_Proto` counts too: CGI and WSGI make the same of both.
 */
function removeUnvouched(headers: Headers): void {
  const { flat } = headers;
  for (let at = 0; at < flat.length; at += 2) {
    if (!isUnvouched(flat[at]!)) continue;
    headers.filter((name) => !isUnvouched(name));
    return;
  }
}

function isUnvouched(name: string): boolean {
  // x or f, in either case: most names begin with neither.
  const first = name.charCodeAt(0) | 32;
  if (first !== 120 && first !== 102) return false;
  if (!mayBeUnvouched.test(name)) return false;
  const lower = name.toLowerCase();
  const canonical = lower.replaceAll('_', '-');
  return (
    !written.has(lower) && (canonical.startsWith('x-forwarded-') || canonical === 'x-real-ip' || lower === 'forwarded')
  );
}

const mayBeUnvouched = /^(?:x[-_](?:forwarded|real)[-_]|forwarded$)/i;
const written = new Set(['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-real-ip']);

/** `1.2.3.4`, `1.2.3.4:567`, `::1`, `[::1]:567` → the address alone. */
function bareAddress(entry: string): string | undefined {
  if (isIP(entry) !== 0) return entry;
  const match = /^(?:\[([^\]]+)\]|([\d.]+))(?::\d{1,5})?$/.exec(entry);
  const ip = match?.[1] ?? match?.[2];
  return ip !== undefined && isIP(ip) !== 0 ? ip : undefined;
}
