import { isIPv6 } from 'node:net';

/** RFC 3986 §3.2.2, less than it allows: names as DNS and container networks use them, no userinfo, no percent-encoding. */
const hostAndPort = /^(?:\[([0-9A-Fa-f:.]{2,45})\]|([\w~-](?:[\w.~-]{0,253}[\w~-])?)\.?)(?::(\d{0,5}))?$/;

/**
 * The authority of a request in one spelling: host in lower case, without the dot of a fully qualified name, without an
 * empty port. Undefined when it is none, which is answered 400 (RFC 9112 §3.2).
 */
export function parseAuthority(text: string): string | undefined {
  if (text !== last.text) last = { text, authority: parse(text) };
  return last.authority;
}

/** Most requests name the host that the one before named. */
let last: { readonly text: string; readonly authority: string | undefined } = { text: '', authority: undefined };

function parse(text: string): string | undefined {
  const match = hostAndPort.exec(text);
  if (match === null) return undefined;
  const [, ip, name, port] = match;
  if (ip !== undefined && !isIPv6(ip)) return undefined;
  const host = ip !== undefined ? `[${ip.toLowerCase()}]` : name!.toLowerCase();
  if (port === undefined || port === '') return host;
  const number = Number(port);
  return number >= 1 && number <= 65535 ? `${host}:${number}` : undefined;
}
