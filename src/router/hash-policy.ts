import type { Exchange } from '../http/index.ts';
import type { HashPolicyConfig } from './config.ts';
import { queryParameter } from './query-parameter.ts';

/** An unsigned 32-bit hash of what the policies name; undefined when the request has none of it. */
export type HashPolicy = (exchange: Exchange) => number | undefined;

export function compileHashPolicy(configs: readonly HashPolicyConfig[]): HashPolicy | undefined {
  if (configs.length === 0) return undefined;
  const readers = configs.map(readerOf);
  return function hashOf(exchange) {
    let hash: number | undefined;
    for (const read of readers) {
      const value = read(exchange);
      // Rotating before combining makes the order count (as Envoy does), so that two equal values do not cancel out.
      if (value !== undefined)
        hash = hash === undefined ? hash32(value) : (((hash << 1) | (hash >>> 31)) ^ hash32(value)) >>> 0;
    }
    return hash;
  };
}

function readerOf(config: HashPolicyConfig): (exchange: Exchange) => string | undefined {
  const { header, cookie, query_parameter } = config;
  if (header === 'host') return ({ request }) => request.authority;
  if (header !== undefined) return ({ request }) => request.headers.get(header);
  if (cookie !== undefined) return ({ request }) => cookieOf(request.headers.getAll('cookie'), cookie);
  if (query_parameter !== undefined) return ({ request }) => queryParameter(request.path, query_parameter);
  return (exchange) => exchange.clientAddress;
}

/** RFC 6265 §5.4; HTTP/2 may spread cookies over several lines. */
function cookieOf(lines: readonly string[], name: string): string | undefined {
  for (const line of lines) {
    for (const pair of line.split(';')) {
      const equals = pair.indexOf('=');
      if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
    }
  }
  return undefined;
}

/** FNV-1a with the last mixing steps of MurmurHash3: FNV alone leaves near texts near on a ring. */
export function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
