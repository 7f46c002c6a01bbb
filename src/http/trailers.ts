/** Fields behind the content (RFC 9110 §6.5), and the field in the head that announces them (§6.6.2). */

/** What must not arrive late: whoever reads it there, if only some do, understands another message (RFC 9110 §6.5.1). */
const forbidden = new Set([
  // Framing, and the connection, which each side's codec speaks of by itself.
  'connection',
  'content-length',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  // Routing: the way has been chosen.
  'forwarded',
  'host',
  'location',
  'via',
  'x-real-ip',
  // Modifiers of the request: it has been acted upon.
  'cache-control',
  'expect',
  'max-forwards',
  'range',
  // Credentials and state: access has been decided.
  'authorization',
  'cookie',
  'proxy-authenticate',
  'proxy-authorization',
  'set-cookie',
  'www-authenticate',
  // How the content is to be read: it has been.
  'content-encoding',
  'content-range',
  'content-type',
]);

/** @param lowerName in lower case */
export function mayTrail(lowerName: string): boolean {
  return !forbidden.has(lowerName) && !lowerName.startsWith('x-forwarded-');
}

/** A field name in a list, which no codec lets into trailers with an underscore. Only SP and HTAB are space in a field (RFC 9110 §5.6.3). */
const listedName = /^[\t ]*([!#$%&'*+\-.^`|~0-9A-Za-z]+)[\t ]*$/;

/** The names of a `Trailer` value that may be passed on, each once; undefined when there are none. */
export function announcedTrailers(trailer: string): string | undefined {
  const names = new Map<string, string>();
  for (const part of trailer.split(',')) {
    const name = listedName.exec(part)?.[1];
    if (name === undefined) continue;
    const lower = name.toLowerCase();
    if (mayTrail(lower) && !names.has(lower)) names.set(lower, name);
  }
  return names.size === 0 ? undefined : [...names.values()].join(', ');
}
